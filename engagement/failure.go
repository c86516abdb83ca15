package engagement

import (
	"math"
	"time"
)

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

// GiveUp lets a tweet that gets no answer go cold when its age says so and it
// failed three times in a row: it would be looked up, and perhaps paid for, for
// ever. That says nothing about whether the tweet is still there. Call it with
// what [Fail] or [Doubt] returned.
func GiveUp(p Policy, t Tracking, now time.Time) Tracking {
	tier, next := p.Schedule(t, now)
	if !next.IsZero() || t.Attempts < lastTries {
		return t
	}
	t.Tier, t.NextUpdateAt, t.RetryAt = tier, time.Time{}, time.Time{}
	return t
}

// Backoff returns how long to wait after the given number of failures in a row
// (1 is the first): exponential with full jitter, uniform between a floor of base/2,
// which keeps a retry from following at once, and min(ceiling, base * 2^(attempts-1)).
// random is in [0, 1).
//
// Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
func Backoff(attempts int, base, ceiling time.Duration, random float64) time.Duration {
	limit := math.Min(float64(ceiling), float64(base)*math.Exp2(float64(max(attempts, 1)-1)))
	floor := math.Min(float64(base)/2, limit)
	return time.Duration(floor + random*(limit-floor))
}
