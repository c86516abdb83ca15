package engagement

import (
	"math"
	"time"
)

// Fail records that a look-up ended without an answer about the tweet. The
// tweet is not looked up again before retryAt; see [Backoff].
func Fail(prev Tracking, retryAt time.Time) Tracking {
	t := prev
	t.Attempts++
	t.RetryAt = retryAt
	return t
}

// maxFinalTries is how many look-ups of a tweet that is too old for any tier may fail
// before it goes cold like the others of its age.
const maxFinalTries = 3

// CoolDown makes a tweet cold that is too old for any tier and failed three times in a
// row: it would be looked up, and perhaps paid for, for ever. That says nothing about
// whether the tweet still exists. Call it with
// what [Fail] or [MissUnproven] returned.
func CoolDown(p Policy, t Tracking, now time.Time) Tracking {
	if t.Gone() && t.Attempts >= maxFinalTries {
		return t.stayGone("", now)
	}
	tier, next := p.Schedule(t, now)
	if !next.IsZero() || t.Attempts < maxFinalTries {
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
