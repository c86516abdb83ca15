package engagement

import "time"

const (
	// pullShare is how much of the wait for the next look-up remains at least when a signal
	// brings it forward.
	pullShare = 0.5

	// mostPulled is from how many engagements on a signal brings nothing forward: it says only
	// what the schedule expects anyway.
	mostPulled = 100
)

// PullForward returns when a tweet is to be looked up next of which a reply or a quote came by
// itself at now, without its counts; ok is false when nothing changes. The wait since the last
// observation is halved, once: signalled is when that was done last, the zero time if never. A
// tweet that was never observed, one that is not looked up any more, and one that gets
// engagements all the time are left as they are. docs/scheduling.md says what it gains.
func PullForward(t Tracking, signalled, now time.Time) (next time.Time, ok bool) {
	switch {
	case t.ObservedAt.IsZero(), !t.NextUpdateAt.After(now), t.Metrics.Total() >= mostPulled,
		signalled.After(t.ObservedAt):
		return time.Time{}, false
	}
	next = t.ObservedAt.Add(time.Duration(pullShare * float64(t.NextUpdateAt.Sub(t.ObservedAt))))
	if least := t.ObservedAt.Add(pullFloor); next.Before(least) {
		next = least
	}
	if next.Before(now) {
		next = now
	}
	return next, next.Before(t.NextUpdateAt)
}

// pullFloor is the least time between two look-ups, as [DefaultAdaptive] has it.
const pullFloor = 2 * time.Minute
