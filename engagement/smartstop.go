package engagement

import "time"

// SmartStop is the rule of the replaced system's later version: a look every hour,
// six of them, and none any more once a look shows no change and the tweet is below
// the 25th percentile of its zone. It is there for comparison, and for who wants it.
type SmartStop struct {
	Model Model // what learns the change of the last look

	Every time.Duration // gap between two looks
	Looks int           // most looks a tweet gets

	// Quartiles holds the zone's 25th percentile of the total engagement at each
	// look, counted from 0; the last one stands for all later looks. Empty: no
	// tweet is below. See [Quartiles].
	Quartiles []float64
}

var _ Learner = SmartStop{}

// DefaultSmartStop is hourly, six times.
func DefaultSmartStop(m Model, quartiles []float64) SmartStop {
	return SmartStop{Model: m, Every: time.Hour, Looks: 6, Quartiles: quartiles}
}

// Learn implements [Learner].
func (s SmartStop) Learn(prev, next Tracking) Activity { return s.Model.Learn(prev, next) }

// Schedule implements [Policy]. Looks lie on a grid counted from the tweet's
// creation, as those of [TierPolicy] do.
func (s SmartStop) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	age := max(now.Sub(t.CreatedAt), 0)
	done := int(age / s.Every) // grid points passed
	if done >= s.Looks || s.stops(t, done) {
		return Cold, time.Time{}
	}
	next := time.Duration(done+1) * s.Every
	if next-age < MinSnapshotGap {
		next += s.Every
	}
	if next > time.Duration(s.Looks)*s.Every {
		return Cold, time.Time{}
	}
	return Warm, t.CreatedAt.Add(next)
}

func (s SmartStop) stops(t Tracking, done int) bool {
	if t.UpdateCount == 0 || done == 0 || len(s.Quartiles) == 0 {
		return false
	}
	quartile := s.Quartiles[min(done, len(s.Quartiles))-1]
	return t.Activity.Delta == 0 && float64(t.Metrics.Total()) < quartile
}
