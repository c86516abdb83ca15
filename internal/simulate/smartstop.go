package simulate

import (
	"slices"
	"time"

	"gorgone/engagement"
)

// SmartStop is the rule of the replaced system's later version, to compare with: a
// look-up every hour, six of them, and none any more once a look-up shows no change
// and the tweet is below the 25th percentile of its zone.
type SmartStop struct {
	Model engagement.Model // learns the change that the last look-up showed

	Every   time.Duration // time between two look-ups
	Lookups int           // maximum number of look-ups of a tweet

	// Quartiles holds the zone's 25th percentile of the total engagement at each
	// look-up, counted from 0; the last one stands for all later look-ups. Empty: no
	// tweet is below. See [Quartiles].
	Quartiles []float64
}

var _ engagement.Learner = SmartStop{}

// DefaultSmartStop is hourly, six times.
func DefaultSmartStop(m engagement.Model, quartiles []float64) SmartStop {
	return SmartStop{Model: m, Every: time.Hour, Lookups: 6, Quartiles: quartiles}
}

// Learn implements [engagement.Learner].
func (s SmartStop) Learn(prev, next engagement.Tracking) engagement.Activity {
	return s.Model.Learn(prev, next)
}

// Schedule implements [engagement.Policy]. Look-ups lie on a grid counted from the
// tweet's creation, as those of [engagement.TierPolicy] do.
func (s SmartStop) Schedule(t engagement.Tracking, now time.Time) (engagement.Tier, time.Time) {
	age := max(now.Sub(t.CreatedAt), 0)
	done := int(age / s.Every) // grid points passed
	if done >= s.Lookups || s.stops(t, done) {
		return engagement.Cold, time.Time{}
	}
	next := time.Duration(done+1) * s.Every
	if next-age < engagement.MinSnapshotGap {
		next += s.Every
	}
	if next > time.Duration(s.Lookups)*s.Every {
		return engagement.Cold, time.Time{}
	}
	return engagement.Warm, t.CreatedAt.Add(next)
}

func (s SmartStop) stops(t engagement.Tracking, done int) bool {
	if t.UpdateCount == 0 || done == 0 || len(s.Quartiles) == 0 {
		return false
	}
	quartile := s.Quartiles[min(done, len(s.Quartiles))-1]
	return t.Activity.Delta == 0 && float64(t.Metrics.Total()) < quartile
}

// Quartiles returns the 25th percentile of the total engagement at each of a number
// of look-ups, one every so often from creation on, for [SmartStop].
func Quartiles(histories []engagement.History, every time.Duration, lookups int) []float64 {
	var q []float64
	for i := range lookups {
		age := time.Duration(i+1) * every
		var totals []float64
		for _, h := range histories {
			if n, ok := totalAt(h, age); ok {
				totals = append(totals, n)
			}
		}
		if len(totals) == 0 {
			break
		}
		slices.Sort(totals)
		q = append(q, totals[len(totals)/4])
	}
	return q
}

// totalAt returns the total engagement last observed at an age, if the tweet was
// observed then or later.
func totalAt(h engagement.History, age time.Duration) (total float64, ok bool) {
	at := h.CreatedAt.Add(age)
	for _, s := range h.Snapshots {
		if s.At.After(at) {
			return total, true
		}
		total = float64(s.Metrics.Total())
		ok = !s.At.Before(at)
	}
	return total, ok
}
