package engagement

import "time"

// SecondLookup is how long after the look-up that showed too little engagement a tweet
// gets another chance.
const SecondLookup = time.Hour

// Selective tracks only tweets that reach a total engagement of Minimum (see
// [Metrics.Total]), and schedules those as Policy does. A tweet below it gets a
// second look-up [SecondLookup] after the first one that showed its counts, and is left
// alone when that shows too little as well.
//
// It decides at every look-up that is due: a tweet that has lost what it had is left
// alone too. One that is left alone comes back when a refresh shows enough.
type Selective struct {
	Policy  Policy
	Minimum int64 // 0 or less: every tweet is tracked
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
	case t.SnapshotAt.IsZero(): // the first look-up
		return tier, now.Add(SecondLookup)
	case t.NextUpdateAt.After(now): // looked up before the second look-up was due
		return tier, t.NextUpdateAt
	default:
		return Cold, time.Time{}
	}
}
