package engagement

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AlertKind is what an [AlertRule] looks for.
type AlertKind string

// The kinds of alerts.
const (
	AlertVelocity AlertKind = "velocity" // engagements an hour over a window
	AlertCount    AlertKind = "count"    // a count crosses a threshold
	AlertTier     AlertKind = "tier"     // the tweet moves to another tier
	AlertDeleted  AlertKind = "deleted"  // the tweet counts as deleted
	AlertStalled  AlertKind = "stalled"  // a look has been due for too long
	AlertForecast AlertKind = "forecast" // a count is expected to pass a threshold
)

// AlertKinds lists all kinds.
func AlertKinds() []AlertKind {
	return []AlertKind{AlertVelocity, AlertCount, AlertTier, AlertDeleted, AlertStalled, AlertForecast}
}

const (
	// MinAlertWindow is the least window of a velocity alert: over less, a handful
	// of likes makes a velocity of hundreds.
	MinAlertWindow = 10 * time.Minute

	// MaxAlertWindow is the longest.
	MaxAlertWindow = 24 * time.Hour

	// DefaultAlertVelocity is the threshold of a velocity alert, in engagements an
	// hour.
	DefaultAlertVelocity = 500

	// AlertTotal names the total engagement where the name of a counter may stand.
	AlertTotal = "total_engagement"

	// alertRelief is the part of a threshold that a value must fall below before the
	// alert is over: a value that wavers around its threshold raises one alert.
	alertRelief = 0.8
)

// AlertRule says of what somebody wants to be told.
type AlertRule struct {
	Kind AlertKind

	// Threshold is in engagements an hour for velocity, and a count for count and
	// forecast. The other kinds have none.
	Threshold float64

	// Metric is what count and forecast look at: a counter's name, or [AlertTotal].
	Metric string

	// Window is the least stretch a velocity is measured over, how far a forecast
	// looks ahead (one of [Horizons]), and how long a stalled tweet has been due.
	Window time.Duration

	// Cooldown is the least time between two alerts of the rule on one tweet.
	Cooldown time.Duration

	// Tier, if set, is the only tier whose arrival counts.
	Tier Tier
}

// Validate returns what is wrong with the rule.
func (r AlertRule) Validate() error {
	switch {
	case !slices.Contains(AlertKinds(), r.Kind):
		return fmt.Errorf("kind %.40q: want one of %s", r.Kind, joined(AlertKinds()))
	case r.Cooldown < 0 || r.Cooldown > 30*24*time.Hour:
		return fmt.Errorf("cooldown %s: want 0s to 720h", r.Cooldown)
	}
	thresholded := r.Kind == AlertVelocity || r.Kind == AlertCount || r.Kind == AlertForecast
	if thresholded != (r.Threshold != 0) || thresholded && !(r.Threshold >= 1 && r.Threshold <= MaxCount) {
		if !thresholded {
			return fmt.Errorf("threshold: %s has none", r.Kind)
		}
		return fmt.Errorf("threshold %g: want 1 to %d", r.Threshold, int64(MaxCount))
	}
	if counts := r.Kind == AlertCount || r.Kind == AlertForecast; counts != (r.Metric != "") || counts && !metricKnown(r.Metric) {
		if !counts {
			return fmt.Errorf("metric: %s has none", r.Kind)
		}
		return fmt.Errorf("metric %.40q: want a counter (retweets, replies, likes, quotes, views, bookmarks) or %s", r.Metric, AlertTotal)
	}
	if r.Tier != "" && (r.Kind != AlertTier || r.Tier.Heat() < 0) {
		return fmt.Errorf("tier %.40q: want %s, for the kind tier only", r.Tier, joined(Tiers()))
	}
	return r.validateWindow()
}

func (r AlertRule) validateWindow() error {
	switch r.Kind {
	case AlertVelocity, AlertStalled:
		if r.Window < MinAlertWindow || r.Window > MaxAlertWindow {
			return fmt.Errorf("window %s: want %s to %s", r.Window, MinAlertWindow, MaxAlertWindow)
		}
	case AlertForecast:
		if !slices.Contains(horizons(), r.Window) {
			return fmt.Errorf("window %s: a forecast looks 1h, 3h or 24h ahead", r.Window)
		}
	default:
		if r.Window != 0 {
			return fmt.Errorf("window: %s has none", r.Kind)
		}
	}
	return nil
}

func horizons() []time.Duration { h := Horizons(); return h[:] }

func joined[T ~string](list []T) string {
	words := make([]string, len(list))
	for i, w := range list {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}

func metricKnown(name string) bool {
	_, known := counterNamed(name)
	return known || name == AlertTotal
}

func counterNamed(name string) (Counter, bool) {
	for _, c := range Counters() {
		if c.String() == name {
			return c, true
		}
	}
	return 0, false
}

// String says in a few words what the rule looks for.
func (r AlertRule) String() string {
	n := strconv.FormatFloat(r.Threshold, 'f', -1, 64)
	switch r.Kind {
	case AlertVelocity:
		return fmt.Sprintf("more than %s engagements an hour over %s", n, short(r.Window))
	case AlertCount:
		return fmt.Sprintf("%s crosses %s", r.Metric, n)
	case AlertForecast:
		return fmt.Sprintf("%s will pass %s within %s", r.Metric, n, short(r.Window))
	case AlertTier:
		if r.Tier != "" {
			return "becomes " + string(r.Tier)
		}
		return "changes its tier"
	case AlertStalled:
		return "a look is due for more than " + short(r.Window)
	default:
		return string(r.Kind)
	}
}

// short writes a duration without zeros at its end.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// AlertState is what is kept of a rule and a tweet. The zero value is that the
// rule has never raised an alert on it.
type AlertState struct {
	Active   bool
	RaisedAt time.Time // last; zero: never
}

// AlertReading is what a look says of a rule.
type AlertReading struct {
	Value float64
	Over  bool // the rule is met
	Clear bool // it is not met any more, by some margin
	Brief bool // what happened is over already, as a change is
}

// AlertMove is what becomes of an alert.
type AlertMove int

// The moves.
const (
	AlertStays AlertMove = iota
	AlertRaised
	AlertCleared
)

// Step moves the state of an alert on. A rule that is met raises an alert when
// none is active and the cooldown since the last has passed; one that would have
// been raised in the cooldown is raised after it, if the rule is still met then.
// The alert is over when the reading is clear.
func (r AlertRule) Step(s AlertState, reading AlertReading, now time.Time) (AlertState, AlertMove) {
	switch {
	case s.Active && reading.Clear && !reading.Over:
		s.Active = false
		return s, AlertCleared
	case !s.Active && reading.Over && (s.RaisedAt.IsZero() || now.Sub(s.RaisedAt) >= r.Cooldown):
		return AlertState{Active: !reading.Brief, RaisedAt: now}, AlertRaised
	default:
		return s, AlertStays
	}
}

// over compares a value with the threshold.
func (r AlertRule) over(value float64) AlertReading {
	return AlertReading{Value: value, Over: value >= r.Threshold, Clear: value < r.Threshold*alertRelief}
}
