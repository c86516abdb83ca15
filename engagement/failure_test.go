package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestMissesCountOnlyWhenApart(t *testing.T) {
	t.Parallel()
	var tweet engagement.Tracking
	for i, tc := range []struct {
		at     time.Duration
		misses int
		retry  time.Duration
	}{
		{0, 1, 2 * time.Minute},
		{time.Minute, 1, 2 * time.Minute}, // the same moment of the provider
		{2 * time.Minute, 2, 6 * time.Minute},
		{6 * time.Minute, 3, 14 * time.Minute},
		{10 * time.Hour, 4, 10*time.Hour + 16*time.Minute},
		{11 * time.Hour, 5, 11*time.Hour + 32*time.Minute},
		{12 * time.Hour, 6, 13 * time.Hour}, // capped
		{14 * time.Hour, 7, 15 * time.Hour},
	} {
		tweet = engagement.Miss(tweet, posted.Add(tc.at))
		if tweet.Misses != tc.misses || !tweet.RetryAt.Equal(posted.Add(tc.retry)) {
			t.Errorf("miss %d at %s: %d misses, retry at %s", i, tc.at, tweet.Misses, tweet.RetryAt.Sub(posted))
		}
	}
}

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
		age    time.Duration
		misses int
		cold   bool
	}{
		"young, missed often": {time.Hour, 9, false},
		"old, missed twice":   {13 * time.Hour, 2, false},
		"old, missed thrice":  {13 * time.Hour, 3, true},
	} {
		tweet := engagement.Tracking{CreatedAt: posted, Tier: engagement.Warm, NextUpdateAt: posted.Add(time.Hour), RetryAt: posted.Add(99 * time.Hour), Misses: tc.misses}
		got := engagement.GiveUp(p, tweet, posted.Add(tc.age))
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
