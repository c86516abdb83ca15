package queue

import "time"

// What follows a refusal for going too fast: every call stops for a while (the
// hold), the rate in force is halved, one call is made alone (the probe), and when
// that was answered the rate rises from a tenth to what is in force (the ramp).
// After each clean streak the rate in force rises by a step, up to the set rate:
// additive increase, multiplicative decrease (Chiu and Jain, 1989). This file is the
// arithmetic.

const (
	// minFactor is the least part of the set rate that is left by halving.
	minFactor = 1.0 / 16

	// factorStep is by how much of the set rate the rate in force rises.
	factorStep = 0.1

	// streakTime at the set rate, but at least leastStreak calls, is a clean streak.
	streakTime  = 10 * time.Second
	leastStreak = 5

	// rampTime is how long it takes to come from rampStart of the rate in force to all
	// of it. An interval between two calls is not stretched beyond rampInterval by it:
	// a slow pace is no burst.
	rampTime     = 5 * time.Second
	rampStart    = 0.1
	rampInterval = 500 * time.Millisecond

	// defaultProbeTime is how long the probe may take, when nothing else is said.
	// After it somebody else makes another.
	defaultProbeTime = 10 * time.Second

	// forgetPause is how long after a pause a pace that was lost begins as if there
	// had been none.
	forgetPause = time.Minute
)

// recovery is the part of the shared state that a pause leaves behind.
type recovery struct {
	Hold    time.Time // no call begins before, and then one alone; zero: there is no pause to recover from
	Probe   time.Time // until when the one call that was let go may be answered; zero: none was
	Resumed time.Time // when the last recovery began to ramp
	Episode int64     // of the last halving
	Clean   int       // calls since the rate in force last changed
}

// held takes over a pause: its end, and the halving that comes with its episode,
// once, whoever is first to see it.
func (s paceState) held(until time.Time, episode int64) paceState {
	if until.After(s.Hold) && until.After(s.Resumed) {
		s.Hold, s.Probe = until, time.Time{}
	}
	if episode > s.Episode {
		s.Episode, s.Clean = episode, 0
		s.Factor = max(s.Factor/2, minFactor)
	}
	return s
}

// answered ends the hold when a call that began after it was answered.
func (s paceState) answered(began, now time.Time) paceState {
	if !s.Hold.IsZero() && !began.Before(s.Hold) {
		s.Hold, s.Probe, s.Resumed = time.Time{}, time.Time{}, now
	}
	return s
}

// clean counts calls, and raises the rate in force when a streak of them went well.
func (s paceState) clean(n int, l paceLimits) paceState {
	if s.Factor >= 1 {
		s.Clean = 0
		return s
	}
	if s.Clean += n; s.Clean >= max(leastStreak, int(float64(l.streak)*s.Factor)) {
		s.Clean = 0
		s.Factor = min(s.Factor+factorStep, 1)
	}
	return s
}

// inForce is the part of the set rate at which calls are let go now.
func (l paceLimits) inForce(s paceState, now time.Time) float64 {
	if s.Resumed.IsZero() {
		return s.Factor
	}
	since := max(now.Sub(s.Resumed), 0)
	return s.Factor * min(max(float64(since)/float64(rampTime), l.rampFloor()), 1)
}

// rampFloor is where a ramp begins.
func (l paceLimits) rampFloor() float64 {
	return min(max(rampStart, float64(l.interval)/float64(rampInterval)), 1)
}
