package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestAlertRuleValidate(t *testing.T) {
	t.Parallel()
	good := []engagement.AlertRule{
		{Kind: engagement.AlertVelocity, Threshold: 500, Window: 10 * time.Minute, Cooldown: time.Hour},
		{Kind: engagement.AlertCount, Threshold: 1, Metric: "views"},
		{Kind: engagement.AlertForecast, Threshold: 10_000, Metric: engagement.AlertTotal, Window: 3 * time.Hour},
		{Kind: engagement.AlertTier},
		{Kind: engagement.AlertTier, Tier: engagement.Cold},
		{Kind: engagement.AlertDeleted},
		{Kind: engagement.AlertStalled, Window: 30 * time.Minute},
	}
	for _, r := range good {
		if err := r.Validate(); err != nil || r.String() == "" {
			t.Errorf("%+v: %v", r, err)
		}
	}
	bad := []engagement.AlertRule{
		{},
		{Kind: "other"},
		{Kind: engagement.AlertVelocity, Window: 10 * time.Minute},
		{Kind: engagement.AlertVelocity, Threshold: 500, Window: 9 * time.Minute},
		{Kind: engagement.AlertVelocity, Threshold: -1, Window: 10 * time.Minute},
		{Kind: engagement.AlertVelocity, Threshold: 500, Window: 10 * time.Minute, Metric: "likes"},
		{Kind: engagement.AlertCount, Threshold: 1},
		{Kind: engagement.AlertCount, Threshold: 1, Metric: "hearts"},
		{Kind: engagement.AlertCount, Threshold: 1, Metric: "likes", Window: time.Hour},
		{Kind: engagement.AlertForecast, Threshold: 1, Metric: "likes", Window: 2 * time.Hour},
		{Kind: engagement.AlertTier, Tier: "boiling"},
		{Kind: engagement.AlertDeleted, Tier: engagement.Hot},
		{Kind: engagement.AlertDeleted, Threshold: 1},
		{Kind: engagement.AlertStalled},
		{Kind: engagement.AlertDeleted, Cooldown: -1},
		{Kind: engagement.AlertDeleted, Cooldown: 1000 * time.Hour},
	}
	for _, r := range bad {
		if err := r.Validate(); err == nil {
			t.Errorf("%+v is taken", r)
		}
	}
}

func TestAlertReadings(t *testing.T) {
	t.Parallel()
	likes := func(n int64) engagement.Metrics { return engagement.Metrics{Likes: engagement.Known(n)} }
	look := func(before, after int64) engagement.AlertInput {
		return engagement.AlertInput{Before: engagement.Tracking{Metrics: likes(before)}, After: engagement.Tracking{Metrics: likes(after)}, Observed: true}
	}
	forecast := func(l engagement.AlertInput, mean float64) engagement.AlertInput {
		l.Forecast = &engagement.Forecast{}
		l.Forecast.Horizons[1] = engagement.Horizon{Ahead: 3 * time.Hour, Engagement: engagement.Expectation{Mean: mean}}
		return l
	}
	count := engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 100}
	ahead := engagement.AlertRule{Kind: engagement.AlertForecast, Metric: engagement.AlertTotal, Threshold: 100, Window: 3 * time.Hour}
	tier := engagement.AlertRule{Kind: engagement.AlertTier, Tier: engagement.Hot}
	gone := engagement.AlertRule{Kind: engagement.AlertDeleted}
	moved := engagement.AlertInput{Before: engagement.Tracking{Tier: engagement.UltraHot}, After: engagement.Tracking{Tier: engagement.Hot}}
	for name, tt := range map[string]struct {
		rule               engagement.AlertRule
		look               engagement.AlertInput
		first              bool
		reads, over, clear bool
	}{
		"crosses":               {count, look(99, 100), true, true, true, false},
		"has crossed long ago":  {count, look(100, 120), true, true, false, false},
		"is beyond, after one":  {count, look(100, 120), false, true, true, false},
		"a little below":        {count, look(120, 90), false, true, false, false},
		"well below":            {count, look(120, 70), false, true, false, true},
		"first counts":          {count, engagement.AlertInput{After: engagement.Tracking{Metrics: likes(100)}, Observed: true}, true, true, true, false},
		"no counts":             {count, engagement.AlertInput{Observed: true}, true, false, false, false},
		"will pass":             {ahead, forecast(look(10, 20), 130), true, true, true, false},
		"will not":              {ahead, forecast(look(10, 20), 50), true, true, false, true},
		"has passed":            {ahead, forecast(look(90, 110), 300), false, true, false, true},
		"no forecast":           {ahead, look(10, 20), true, false, false, false},
		"the tier":              {tier, moved, true, true, true, false},
		"another tier":          {engagement.AlertRule{Kind: engagement.AlertTier, Tier: engagement.Cold}, moved, true, false, false, false},
		"any tier":              {engagement.AlertRule{Kind: engagement.AlertTier}, moved, true, true, true, false},
		"the same tier":         {tier, look(1, 2), true, false, false, false},
		"gone":                  {gone, engagement.AlertInput{Deleted: true}, true, true, true, false},
		"back":                  {gone, look(1, 2), false, true, false, true},
		"neither":               {gone, engagement.AlertInput{}, true, false, false, false},
		"not stalled any more":  {engagement.AlertRule{Kind: engagement.AlertStalled}, look(1, 2), true, true, false, true},
		"stalled is not judged": {engagement.AlertRule{Kind: engagement.AlertStalled}, engagement.AlertInput{}, true, false, false, true},
		"velocity has its own":  {engagement.AlertRule{Kind: engagement.AlertVelocity}, look(1, 2), true, false, false, false},
	} {
		reading, reads := tt.rule.Read(tt.look, tt.first)
		if reads != tt.reads || reading.Over != tt.over || reads && reading.Clear != tt.clear {
			t.Errorf("%s: %+v %v", name, reading, reads)
		}
	}
}

// TestVelocityNeedsItsWindow: whatever the look-ups, a velocity is read only against
// a snapshot that is at least the window old, and whenever an older one is not
// asked for, none could let the rule be met.
func TestVelocityNeedsItsWindow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		posted := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		rule := engagement.AlertRule{
			Kind: engagement.AlertVelocity, Threshold: float64(rapid.IntRange(1, 2000).Draw(t, "threshold")),
			Window: time.Duration(rapid.IntRange(10, 120).Draw(t, "window")) * time.Minute,
		}
		minute := func(name string, low, high int) time.Time {
			return posted.Add(time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Minute)
		}
		at := minute("at", 2, 300)
		before := minute("before", 1, int(at.Sub(posted)/time.Minute))
		now := rapid.Int64Range(0, 5000).Draw(t, "likes")
		look := engagement.AlertInput{
			Observed: true,
			Before:   engagement.Tracking{SnapshotAt: before, Snapshot: engagement.Metrics{Likes: engagement.Known(rapid.Int64Range(0, now).Draw(t, "liked"))}},
			After:    engagement.Tracking{CreatedAt: posted},
			Snapshot: &engagement.Snapshot{At: at, Metrics: engagement.Metrics{Likes: engagement.Known(now)}, ProviderChanged: rapid.Bool().Draw(t, "changed")},
		}
		ref, found, older := rule.Reference(look)
		if found && older {
			t.Fatal("found, and yet an older one is wanted")
		}
		if found && at.Sub(ref.At) < rule.Window {
			t.Fatalf("a reference of %s for a window of %s", at.Sub(ref.At), rule.Window)
		}
		history := engagement.Reference{At: minute("older", 0, int(at.Sub(posted)/time.Minute)), Total: rapid.Int64Range(0, now).Draw(t, "older likes")}
		reading, ok := rule.Velocity(look, history)
		if ok && (at.Sub(history.At) < rule.Window || look.Snapshot.ProviderChanged) {
			t.Fatalf("read over %s", at.Sub(history.At))
		}
		if ok && reading.Over && !found && !older {
			t.Fatalf("%+v was not looked for", history)
		}
		if history.Changed = true; ok {
			if _, ok := rule.Velocity(look, history); ok {
				t.Fatal("read across a change of the provider")
			}
		}
	})
}

// TestAlertHysteresis plays values around a threshold: between two alerts the value
// was clearly below and the cooldown has passed, and an alert is active exactly
// from its raising on until the value is clearly below.
func TestAlertHysteresis(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rule := engagement.AlertRule{
			Kind: engagement.AlertCount, Metric: "likes", Threshold: 100,
			Cooldown: time.Duration(rapid.IntRange(0, 120).Draw(t, "cooldown")) * time.Minute,
		}
		now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		var (
			state    engagement.AlertState
			raisedAt time.Time
			relieved = true
			before   int64
		)
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 30).Draw(t, "minutes")) * time.Minute)
			value := rapid.Int64Range(60, 140).Draw(t, "likes")
			reading, ok := rule.Read(engagement.AlertInput{
				Observed: true,
				Before:   engagement.Tracking{Metrics: engagement.Metrics{Likes: engagement.Known(before)}},
				After:    engagement.Tracking{Metrics: engagement.Metrics{Likes: engagement.Known(value)}},
			}, state.RaisedAt.IsZero())
			if !ok {
				t.Fatal("not read")
			}
			before = value
			was := state.Active
			next, move := rule.Step(state, reading, now)
			switch move {
			case engagement.AlertRaised:
				if was || value < 100 || !relieved || !raisedAt.IsZero() && now.Sub(raisedAt) < rule.Cooldown {
					t.Fatalf("raised at %d, %s after the last, relieved %v", value, now.Sub(raisedAt), relieved)
				}
				raisedAt, relieved = now, false
			case engagement.AlertCleared:
				if !was || value >= 80 {
					t.Fatalf("cleared at %d", value)
				}
				relieved = true
			case engagement.AlertUnchanged:
				if next != state || was && value < 80 || !was && value >= 100 && (raisedAt.IsZero() || now.Sub(raisedAt) >= rule.Cooldown) {
					t.Fatalf("stayed %+v at %d", state, value)
				}
			}
			state = next
		}
	})
}
