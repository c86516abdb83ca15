package engagement

import (
	"math"
	"time"
)

// MissGap is the least time between two misses that both count: answers that
// close together come from the same moment of the provider.
const MissGap = 2 * time.Minute

// maxMissDelay caps how long a tweet that stays missing waits for its next look.
const maxMissDelay = time.Hour

// Miss records that a valid answer given at now lacked the tweet. That alone
// says nothing about the tweet: it stays tracked, and is looked up again after
// [MissGap], then after twice that, and so on up to an hour. A miss within
// MissGap of the last counted one is not counted.
func Miss(prev Tracking, now time.Time) Tracking {
	t := prev
	if t.LastMissedAt.IsZero() || now.Sub(t.LastMissedAt) >= MissGap {
		t.Misses++
		t.LastMissedAt = now
	}
	delay := min(MissGap<<min(t.Misses-1, 10), maxMissDelay)
	t.RetryAt = t.LastMissedAt.Add(delay)
	return t
}

// Fail records that a look at the tweet ended without an answer about it. The
// tweet is not looked up again before retryAt; see [Backoff].
func Fail(prev Tracking, retryAt time.Time) Tracking {
	t := prev
	t.Attempts++
	t.RetryAt = retryAt
	return t
}

// lastTries is how often a tweet that is too old for any tier is looked for in
// vain before it goes cold like the others of its age.
const lastTries = 3

// GiveUp lets a tweet that gets no answer go cold when its age says so and it was
// missed, or failed, three times in a row: it would be looked up, and perhaps
// paid for, for ever. That says nothing about whether the tweet is still there.
// Call it with what [Miss] or [Fail] returned.
func GiveUp(p Policy, t Tracking, now time.Time) Tracking {
	tier, next := p.Schedule(t, now)
	if !next.IsZero() || max(t.Misses, t.Attempts) < lastTries {
		return t
	}
	t.Tier, t.NextUpdateAt, t.RetryAt = tier, time.Time{}, time.Time{}
	return t
}

// Backoff returns how long to wait after the given number of failures in a row
// (1 is the first): exponential with full jitter, uniform in [0, min(ceiling,
// base * 2^(attempts-1))]. random is in [0, 1). A floor of base/2 keeps a retry
// from following at once.
//
// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
func Backoff(attempts int, base, ceiling time.Duration, random float64) time.Duration {
	limit := math.Min(float64(ceiling), float64(base)*math.Exp2(float64(max(attempts, 1)-1)))
	return max(time.Duration(random*limit), min(base/2, ceiling))
}
