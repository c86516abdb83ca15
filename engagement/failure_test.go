package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestFailCounts(t *testing.T) {
	t.Parallel()
	tweet := engagement.Tracking{Tier: engagement.Hot, NextUpdateAt: posted}
	got := engagement.Fail(engagement.Fail(tweet, posted), posted.Add(time.Hour))
	if got.Attempts != 2 || !got.RetryAt.Equal(posted.Add(time.Hour)) || !got.NextUpdateAt.Equal(posted) {
		t.Errorf("after two failures: %+v", got)
	}
}

func TestATweetWithoutAnswerGoesColdWithAge(t *testing.T) {
	t.Parallel()
	p := engagement.DefaultTierPolicy()
	for name, tc := range map[string]struct {
		age      time.Duration
		failures int
		cold     bool
	}{
		"young, failed often": {time.Hour, 9, false},
		"old, failed twice":   {13 * time.Hour, 2, false},
		"old, failed thrice":  {13 * time.Hour, 3, true},
	} {
		tweet := engagement.Tracking{CreatedAt: posted, Tier: engagement.Warm, NextUpdateAt: posted.Add(time.Hour), RetryAt: posted.Add(99 * time.Hour), Attempts: tc.failures}
		got := engagement.CoolDown(p, tweet, posted.Add(tc.age))
		if (got.Tier == engagement.Cold) != tc.cold || got.NextUpdateAt.IsZero() != tc.cold {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestBackoffStaysInBounds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		base := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "base"))
		ceiling := base + time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "more"))
		attempts := rapid.IntRange(-3, 5000).Draw(t, "attempts")
		random := rapid.Float64Range(0, 0.999999).Draw(t, "random")
		got := engagement.Backoff(attempts, base, ceiling, random)
		if got < base/2 || got > ceiling {
			t.Fatalf("%s outside [%s, %s]", got, base/2, ceiling)
		}
		if more := engagement.Backoff(attempts+1, base, ceiling, random); more < got {
			t.Fatalf("attempt %d waits %s, the one after it %s", attempts, got, more)
		}
	})
}
