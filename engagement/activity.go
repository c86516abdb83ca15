package engagement

import (
	"math"
	"time"
)

// GrowthStats sum up what was observed of one counter; older observations weigh less.
type GrowthStats struct {
	Seen     float64 `json:"n"` // Σ ωⱼnⱼ, engagements
	Exposure float64 `json:"k"` // Σ ωⱼ(K(tⱼ)-K(tⱼ₋₁)), shares of the kernel, by hour times the [Clock]
}

// Activity is the running estimate of how fast a tweet moves: a few sums that
// every observation adds to, and all that [Adaptive] and [Model.Forecast] need of the
// past. It is part of [Tracking].
//
// To persist it, store its binary form ([Activity.AppendBinary]), NULL for the zero
// value. Its JSON, in which a missing field reads as zero, serves too and is four times
// as long. [Model.Rebuild] computes it again from the tweet's snapshots, for rows that
// lack it or when the model has changed. Losing it loses no data, only the memory of
// the estimate.
type Activity struct {
	// At is the look-up up to which the sums reach; zero: nothing was seen yet, and
	// the next look-up counts from the tweet's creation on.
	At time.Time `json:"at,omitzero"`

	// Counters holds the sums of each counter, indexed by [Counter].
	Counters [NumCounters]GrowthStats `json:"c,omitzero"`

	// Engagement are the sums of the total engagement (see [Metrics.Total]).
	// This is the one that schedules.
	Engagement GrowthStats `json:"e,omitzero"`

	// Expected is the total engagement that the author's tweets get, as
	// [Model.Expect] makes it from them; 0: not known, and the zone's prior is used.
	Expected float64 `json:"x,omitempty"`

	// Delta is the change of the total engagement that the last look-up showed.
	Delta int64 `json:"d,omitempty"`

	// PaidDay is the UTC day on which the tweet was last looked up at a provider that charges
	// for a tweet once a day, as its midnight; zero: never, or nothing goes by it.
	PaidDay time.Time `json:"p,omitzero"`
}

// PaidOn reports whether the tweet was paid for on the UTC day of a time.
func (a Activity) PaidOn(at time.Time) bool {
	return !a.PaidDay.IsZero() && a.PaidDay.Equal(UTCDay(at))
}

// add brings e from age before on to age now, at which n more were seen. Sums fade
// in two ways: by age, (before/now)^Forget; and by how much they know, as the rate
// of a tweet drifts: if its logarithm walks at random, with a variance of Drift a
// unit of ln(age), then what S engagements tell, a variance of 1/S, becomes 1/S +
// Drift·ln(now/before), which is worth S/(1 + S·Drift·ln(now/before)) engagements.
// So many engagements fade fast, since newer ones tell more, and few are kept, since
// there is nothing better.
func (e GrowthStats) add(m *Model, g Growth, createdAt time.Time, before, now time.Duration, n float64) GrowthStats {
	keep := 0.0
	if before > 0 {
		older := math.Log(float64(now) / float64(before))
		keep = math.Exp(-m.Forget*older) / (1 + m.Drift*(g.Prior.Shape+e.Seen)*older)
	}
	return GrowthStats{
		Seen:     max(e.Seen*keep+n, 0), // undone likes must not make it negative
		Exposure: e.Exposure*keep + m.Clock.share(g.Kernel, createdAt, before, now),
	}
}

// Learner is a [Policy] that keeps an estimate of each tweet. [Track] and
// [Observe] ask it before they ask for the next look-up.
type Learner interface {
	Policy

	// Learn returns the activity of a tweet after a look-up: prev is what was known
	// before it, next what is known now, with the activity of prev.
	Learn(prev, next Tracking) Activity
}

// Learn returns the activity after an observation if the policy is a [Learner], and
// that of next otherwise. A policy that wraps another implements [Learner] with it.
func Learn(p Policy, prev, next Tracking) Activity {
	if l, ok := p.(Learner); ok {
		return l.Learn(prev, next)
	}
	return next.Activity
}

// Learning adds the estimate to a policy that needs none, so that tweets on fixed
// tiers have a forecast too, and may change to [Adaptive] without a cold start.
type Learning struct {
	Policy
	Model Model
}

var _ Learner = Learning{}

// Learn implements [Learner].
func (l Learning) Learn(prev, next Tracking) Activity {
	next.Activity = Learn(l.Policy, prev, next)
	return l.Model.Learn(prev, next)
}
