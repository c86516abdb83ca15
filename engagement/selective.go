package engagement

import "time"

// SecondLook is how long after the look that showed too little engagement a tweet
// gets another chance.
const SecondLook = time.Hour

// Selective looks only after tweets that reach a total engagement of Minimum (see
// [Metrics.Total]), and schedules those as Policy does. A tweet below it gets a
// second look [SecondLook] after the first one that showed its counts, and is left
// alone when that shows too little as well.
//
// It decides at every look that is due: a tweet that has lost what it had is left
// alone too. One that is left alone comes back when a refresh shows enough.
type Selective struct {
	Policy  Policy
	Minimum int64 // 0 or less: every tweet is looked after
}

var _ Learner = Selective{}

// Learn implements [Learner] where Policy does.
func (s Selective) Learn(prev, next Tracking) Activity { return Learn(s.Policy, prev, next) }

// Schedule implements [Policy].
func (s Selective) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	tier, next := s.Policy.Schedule(t, now)
	if next.IsZero() || t.Metrics.Total() >= s.Minimum {
		return tier, next
	}
	switch {
	case t.SnapshotAt.IsZero(): // the first look
		return tier, now.Add(SecondLook)
	case t.NextUpdateAt.After(now): // somebody looked before the second look was due
		return tier, t.NextUpdateAt
	default:
		return Cold, time.Time{}
	}
}
