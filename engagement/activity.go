package engagement

import (
	"math"
	"time"
)

// Evidence is what was seen of one counter, older looks counting less.
type Evidence struct {
	Seen     float64 `json:"n"` // Σ ωⱼnⱼ, engagements
	Exposure float64 `json:"k"` // Σ ωⱼ(K(tⱼ)-K(tⱼ₋₁)), shares of the kernel
}

// Activity is the running estimate of how fast a tweet moves: a few sums that
// every look adds to, and all that [Adaptive] and [Model.Forecast] need of the
// past. It is part of [Tracking].
//
// To persist it, store its JSON (encoding/json) as it is, for example in one JSONB
// column of the tracking row, NULL for the zero value, and read it back the same
// way: fields may be added, and one that is missing reads as zero, which means no
// evidence. [Model.Rebuild] makes it again from the tweet's snapshots, for rows
// that lack it or when the model has changed. Losing it loses no data, only the
// memory of the estimate.
type Activity struct {
	// At is the look up to which the sums reach; zero: nothing was seen yet, and
	// the next look counts from the tweet's creation on.
	At time.Time `json:"at,omitzero"`

	// Counters holds the evidence of each counter, indexed by [Counter].
	Counters [NumCounters]Evidence `json:"c,omitzero"`

	// Engagement is the evidence of the total engagement (see [Metrics.Total]).
	// This is the one that schedules.
	Engagement Evidence `json:"e,omitzero"`

	// Expected is the total engagement that the author's tweets get, as
	// [Model.Expect] makes it from them; 0: not known, and the zone's prior stands.
	Expected float64 `json:"x,omitempty"`

	// Delta is the change of the total engagement that the last look showed.
	Delta int64 `json:"d,omitempty"`
}

// add brings e from age before on to age now, at which n more were seen. Sums fade
// in two ways: by age, (before/now)^Forget; and by how much they know, as the rate
// of a tweet drifts: if its logarithm walks at random, with a variance of Drift a
// unit of ln(age), then what S engagements tell, a variance of 1/S, becomes 1/S +
// Drift·ln(now/before), which is worth S/(1 + S·Drift·ln(now/before)) engagements.
// So many engagements are forgotten fast, for newer ones tell more, and few are
// kept, for there is nothing better.
func (e Evidence) add(m *Model, g Growth, before, now time.Duration, n float64) Evidence {
	keep := 0.0
	if before > 0 {
		older := math.Log(float64(now) / float64(before))
		keep = math.Exp(-m.Forget*older) / (1 + m.Drift*(g.Prior.Shape+e.Seen)*older)
	}
	return Evidence{
		Seen:     max(e.Seen*keep+n, 0), // undone likes must not leave less than nothing
		Exposure: e.Exposure*keep + max(g.Kernel.Share(now)-g.Kernel.Share(before), 0),
	}
}

// Learner is a [Policy] that keeps an estimate of each tweet. [Track] and
// [Observe] ask it before they ask for the next look.
type Learner interface {
	Policy

	// Learn returns the activity of a tweet after a look: prev is what was known
	// before it, next what is known now, with the activity of prev.
	Learn(prev, next Tracking) Activity
}

// Learn asks a policy to take a look in, if it is one that learns; else the activity
// of next stays. A policy that wraps another implements [Learner] with it.
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
