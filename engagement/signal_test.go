package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

// TestPullForward: a signal brings a look-up forward, never back, never before now or two minutes
// after the last one, and a second one does nothing.
func TestPullForward(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(rt *rapid.T) {
		wait := time.Duration(rapid.Int64Range(int64(2*time.Minute), int64(24*time.Hour)).Draw(rt, "wait"))
		after := time.Duration(rapid.Int64Range(1, int64(25*time.Hour)).Draw(rt, "after"))
		count := rapid.Int64Range(0, 200).Draw(rt, "engagements")
		state := engagement.Tracking{ObservedAt: start, NextUpdateAt: start.Add(wait), Metrics: engagement.Metrics{Likes: engagement.Known(count)}}
		now := start.Add(after)
		next, ok := engagement.PullForward(state, start.Add(-time.Hour), now)
		if !ok {
			if count < 100 && wait > 4*time.Minute && after < wait {
				rt.Fatal("not brought forward")
			}
			return
		}
		if count >= 100 || next.Before(now) || !next.Before(state.NextUpdateAt) || next.Before(start.Add(2*time.Minute)) {
			rt.Fatalf("%s after the observation, the signal %s, before %s", next.Sub(start), after, wait)
		}
		if half := start.Add(wait / 2); next.After(half) && next.After(now) && next.After(start.Add(2*time.Minute)) {
			rt.Fatalf("%s after the observation, want half of %s", next.Sub(start), wait)
		}
		state.NextUpdateAt = next
		if _, again := engagement.PullForward(state, now, now.Add(time.Second)); again {
			rt.Fatal("a second signal did it again")
		}
		if _, never := engagement.PullForward(engagement.Tracking{NextUpdateAt: next}, time.Time{}, now); never {
			rt.Fatal("a tweet that was never observed")
		}
	})
}
