package engagement

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// AlertKind is what an [AlertRule] detects.
type AlertKind string

// The kinds of alerts.
const (
	AlertVelocity AlertKind = "velocity" // engagements an hour over a window
	AlertCount    AlertKind = "count"    // a count crosses a threshold
	AlertTier     AlertKind = "tier"     // the tweet moves to another tier
	AlertDeleted  AlertKind = "deleted"  // the tweet counts as deleted
	AlertStalled  AlertKind = "stalled"  // a look-up has been overdue for too long
	AlertForecast AlertKind = "forecast" // a count is expected to pass a threshold
	AlertBurst    AlertKind = "burst"    // far more came than the forecast expected
	AlertBudget   AlertKind = "budget"   // a budget runs out, or is used up
	AlertHeld     AlertKind = "held"     // too many tweets are missing for any to be called deleted
)

// AlertKinds lists all kinds.
func AlertKinds() []AlertKind {
	return []AlertKind{AlertVelocity, AlertCount, AlertTier, AlertDeleted, AlertStalled, AlertForecast, AlertHeld, AlertBudget, AlertBurst}
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

	// DefaultAlertDigits is the threshold of a burst alert.
	DefaultAlertDigits = 6

	// MaxAlertDigits is the largest threshold of a burst alert.
	MaxAlertDigits = 100

	// AlertTotal names the total engagement where the name of a counter may stand.
	AlertTotal = "total_engagement"

	// alertRelief is the part of a threshold that a value must fall below before the
	// alert is over: a value that wavers around its threshold raises one alert.
	alertRelief = 0.8
)

// AlertRule describes what raises an alert.
type AlertRule struct {
	Kind AlertKind

	// Threshold is in engagements an hour for velocity, a count for count and
	// forecast, and per cent for budget. For burst it is a number of digits: 6 is a chance
	// of one in 10^6 that so much came by itself. The other kinds have none.
	Threshold float64

	// Metric is what count and forecast read: a counter's name, or [AlertTotal].
	Metric string

	// Window is the least stretch a velocity is measured over, how far a forecast
	// looks ahead (one of [Horizons]), and how long a stalled tweet has been due.
	Window time.Duration

	// Cooldown is the least time between two alerts of the rule on one tweet.
	Cooldown time.Duration

	// Tier, if set, is the only tier whose arrival counts.
	Tier Tier
}

// WithDefaults fills in what the kind of rule needs and is not set.
func (r AlertRule) WithDefaults() AlertRule {
	switch r.Kind {
	case AlertVelocity:
		r.Window = cmp.Or(r.Window, MinAlertWindow)
		r.Threshold = cmp.Or(r.Threshold, DefaultAlertVelocity)
	case AlertBurst:
		r.Threshold = cmp.Or(r.Threshold, DefaultAlertDigits)
	case AlertBudget:
		r.Threshold = cmp.Or(r.Threshold, LowBudget*100)
	case AlertStalled:
		r.Window = cmp.Or(r.Window, 30*time.Minute)
	case AlertForecast:
		r.Window, r.Metric = cmp.Or(r.Window, 3*time.Hour), cmp.Or(r.Metric, AlertTotal)
	case AlertCount:
		r.Metric = cmp.Or(r.Metric, AlertTotal)
	case AlertTier, AlertDeleted, AlertHeld:
	}
	return r
}

// Validate returns the first thing that is wrong with the rule.
func (r AlertRule) Validate() error {
	switch {
	case !slices.Contains(AlertKinds(), r.Kind):
		return fmt.Errorf("kind %.40q: want one of %s", r.Kind, joined(AlertKinds()))
	case r.Cooldown < 0 || r.Cooldown > 30*24*time.Hour:
		return fmt.Errorf("cooldown %s: want 0s to 720h", r.Cooldown)
	}
	if most := r.Kind.maxThreshold(); most == 0 && r.Threshold != 0 {
		return fmt.Errorf("threshold: %s has none", r.Kind)
	} else if most > 0 && !(r.Threshold >= 1 && r.Threshold <= most) {
		return fmt.Errorf("threshold %g: want 1 to %.0f", r.Threshold, most)
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

// maxThreshold is the largest threshold of a kind of rules; 0: it has none.
func (k AlertKind) maxThreshold() float64 {
	switch k {
	case AlertVelocity, AlertCount, AlertForecast:
		return MaxCount
	case AlertBudget:
		return 100
	case AlertBurst:
		return MaxAlertDigits
	default:
		return 0
	}
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

// String describes the rule in a few words.
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
	case AlertHeld:
		return "deletions are held"
	case AlertBurst:
		return "a burst that the forecast gave a chance under 1 in 10^" + n
	case AlertBudget:
		return n + "% of a budget is spent, or all of it"
	case AlertStalled:
		return "a look-up is overdue by more than " + short(r.Window)
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

// AlertState is the state of a rule for one tweet. The zero value means that the rule
// has never raised an alert on it.
type AlertState struct {
	Active   bool
	RaisedAt time.Time // last; zero: never
}

// AlertReading is what an observation means for a rule.
type AlertReading struct {
	Value     float64
	Over      bool // the rule is met
	Clear     bool // it is no longer met, by some margin
	Momentary bool // the event is over already, as a change is
}

// AlertTransition is what becomes of an alert.
type AlertTransition int

// The transitions.
const (
	AlertUnchanged AlertTransition = iota
	AlertRaised
	AlertCleared
)

// aheadBy is how far ahead the time of the last alert may lie. What a clock further ahead
// of its time has raised has no cooldown: it would last until time has caught up.
const aheadBy = time.Minute

// Step moves the state of an alert on. A rule that is met raises an alert when
// none is active and the cooldown since the last has passed; one that would have
// been raised in the cooldown is raised after it, if the rule is still met then.
// The alert is over when the reading is clear.
func (r AlertRule) Step(s AlertState, reading AlertReading, now time.Time) (AlertState, AlertTransition) {
	switch {
	case s.Active && reading.Clear && !reading.Over:
		s.Active = false
		return s, AlertCleared
	case !s.Active && reading.Over && (s.RaisedAt.IsZero() || now.Sub(s.RaisedAt) >= r.Cooldown || s.RaisedAt.Sub(now) > aheadBy):
		return AlertState{Active: !reading.Momentary, RaisedAt: now}, AlertRaised
	default:
		return s, AlertUnchanged
	}
}

// Compare compares a value with the threshold.
func (r AlertRule) Compare(value float64) AlertReading {
	return AlertReading{Value: value, Over: value >= r.Threshold, Clear: value < r.Threshold*alertRelief}
}
