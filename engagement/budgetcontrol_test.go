package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestThriftSavesAtTheColdEndFirst(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		age, usual time.Duration // of the tweet; its gap when there is no need to save
		gaps       [4]time.Duration
	}{
		{0, 10 * time.Minute, [4]time.Duration{10 * time.Minute, 10 * time.Minute, 10 * time.Minute, 10 * time.Minute}},
		{time.Hour, 30 * time.Minute, [4]time.Duration{30 * time.Minute, 30 * time.Minute, time.Hour, time.Hour}},
		{4 * time.Hour, time.Hour, [4]time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 4 * time.Hour}},
		{12 * time.Hour, 0, [4]time.Duration{}}, // cold
	} {
		for i, used := range []float64{0.79, 0.8, 0.9, 1.5} {
			now := posted.Add(tc.age)
			p := engagement.BudgetControl{Policy: engagement.DefaultTierPolicy(), Used: used}
			_, next := p.Schedule(engagement.Tracking{CreatedAt: posted}, now)
			switch {
			case tc.gaps[i] == 0 && !next.IsZero():
				t.Errorf("age %s, %g used: next look at %s, want none", tc.age, used, next)
			case tc.gaps[i] != 0 && next.Sub(now) != tc.gaps[i]:
				t.Errorf("age %s, %g used: gap %s, want %s", tc.age, used, next.Sub(now), tc.gaps[i])
			}
		}
	}
}

// TestThriftOnlyEverSaves: a look-up never comes sooner, nor sooner when more is used
// up; whether there is one, and the tier, stay the policy's.
func TestThriftOnlyEverSaves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		inner := tierPolicy().Draw(t, "policy")
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "age")))
		tweet := engagement.Tracking{CreatedAt: posted}
		tier, next := inner.Schedule(tweet, now)
		used := rapid.Float64Range(0, 2).Draw(t, "used")
		more := used + rapid.Float64Range(0, 1).Draw(t, "more")
		tier1, next1 := engagement.BudgetControl{Policy: inner, Used: used}.Schedule(tweet, now)
		_, next2 := engagement.BudgetControl{Policy: inner, Used: more}.Schedule(tweet, now)
		if tier1 != tier || next1.IsZero() != next.IsZero() || next1.Before(next) || next2.Before(next1) {
			t.Fatalf("%s %s; with %g used %s %s, with %g used %s", tier, next, used, tier1, next1, more, next2)
		}
	})
}
