package throttle

import "time"

// This file is the arithmetic of rate recovery. After the provider refuses a call for
// exceeding its rate limit, no call starts for a while (the hold) and the rate in force
// is halved. Then one call is made alone (the probe). Once it is answered, the rate
// rises from a tenth of the rate in force to all of it (the ramp). After each streak of
// calls without a refusal the rate in force rises by a step, up to the configured rate:
// additive increase, multiplicative decrease (Chiu and Jain, 1989).

const (
	// minFactor is the smallest part of the configured rate that halving leaves.
	minFactor = 1.0 / 16

	// factorStep is how much of the configured rate one clean streak adds.
	factorStep = 0.1

	// A clean streak is as many calls as the configured rate allows in streakTime, and
	// at least minStreak.
	streakTime = 10 * time.Second
	minStreak  = 5

	// rampTime is how long the ramp takes from rampStart of the rate in force to all of
	// it. It stretches the interval between two calls to at most rampInterval: a slow
	// rate cannot burst.
	rampTime     = 5 * time.Second
	rampStart    = 0.1
	rampInterval = 500 * time.Millisecond

	// defaultProbeTime is how long the probe may take by default. After that another
	// replica may make one.
	defaultProbeTime = 10 * time.Second

	// forgetPause is how long after a pause a rate limiter whose state was lost starts
	// as if there had been no pause.
	forgetPause = time.Minute
)

// recovery is the part of the shared state that a pause leaves behind.
type recovery struct {
	HoldUntil  time.Time // no call starts before this, and then one alone; zero: not recovering
	ProbeUntil time.Time // how long the probe has to be answered; zero: no probe was made
	Resumed    time.Time // when the last ramp began
	Episode    int64     // of the last halving: when it began, in milliseconds since 1970
	Clean      int       // calls since the rate in force last changed
}

// paused applies a pause: it holds calls until the pause ends, and halves the rate once
// per episode, whichever replica is first to see it.
func (s limiterState) paused(until time.Time, episode int64) limiterState {
	if until.After(s.HoldUntil) && until.After(s.Resumed) {
		s.HoldUntil, s.ProbeUntil = until, time.Time{}
	}
	if episode > s.Episode {
		s.Episode, s.Clean = episode, 0
		s.Factor = max(s.Factor/2, minFactor)
	}
	return s
}

// answered ends the hold once a call that started after it has been answered.
func (s limiterState) answered(started, now time.Time) limiterState {
	if !s.HoldUntil.IsZero() && !started.Before(s.HoldUntil) {
		s.HoldUntil, s.ProbeUntil, s.Resumed = time.Time{}, time.Time{}, now
	}
	return s
}

// abandoned lets another call be the probe in place of the one that had the slot.
func (s limiterState) abandoned(slot time.Time) limiterState {
	if !s.HoldUntil.IsZero() && !slot.Before(s.HoldUntil) {
		s.ProbeUntil = time.Time{}
	}
	return s
}

// firstEpisodeTime is the lowest number that is a time: earlier versions wrote a count.
const firstEpisodeTime = 1_000_000_000_000

// dated returns the state with its last halving named by time.
func (s limiterState) dated() limiterState {
	if s.Episode > 0 && s.Episode < firstEpisodeTime {
		s.Episode = max(s.At.UnixMilli(), 0)
	}
	return s
}

// countClean counts n calls, and raises the rate in force at the end of a clean streak.
func (s limiterState) countClean(n int, l limits) limiterState {
	if s.Factor >= 1 {
		s.Clean = 0
		return s
	}
	if s.Clean += n; s.Clean >= max(minStreak, int(float64(l.streak)*s.Factor)) {
		s.Clean = 0
		s.Factor = min(s.Factor+factorStep, 1)
	}
	return s
}

// factorAt returns the part of the configured rate at which calls may start now: the
// rate in force, or less during the ramp.
func (l limits) factorAt(s limiterState, now time.Time) float64 {
	if s.Resumed.IsZero() {
		return s.Factor
	}
	since := max(now.Sub(s.Resumed), 0)
	return s.Factor * min(max(float64(since)/float64(rampTime), l.rampFloor()), 1)
}

// rampFloor returns the part of the rate in force at which a ramp begins.
func (l limits) rampFloor() float64 {
	return min(max(rampStart, float64(l.interval)/float64(rampInterval)), 1)
}
