package engagement

import (
	"math"
	"time"
)

// Prior is what is believed of the final size of a tweet before anything was seen
// of it: a gamma distribution with mean Shape/Rate and variance Shape/Rate².
type Prior struct {
	Shape float64 `json:"shape"` // a, above 0: how many engagements the belief is worth
	Rate  float64 `json:"rate"`  // b, above 0
}

// Mean returns the expected total.
func (p Prior) Mean() float64 { return p.Shape / p.Rate }

// Growth is how one counter grows: its size and its rhythm.
type Growth struct {
	Kernel Kernel `json:"kernel"`
	Prior  Prior  `json:"prior"`

	// Scale corrects forecasts of each of the [Horizons] by a factor; 0: 1.
	Scale [NumHorizons]float64 `json:"scale"`
}

// Model is what was learnt of a zone (or of all): how its tweets grow. Make one
// with [DefaultModel] or from histories with [Fit]. It holds no pointers, is not
// changed once made, and may be stored as JSON.
type Model struct {
	Counters   [NumCounters]Growth `json:"counters"`
	Engagement Growth              `json:"engagement"` // of the total, which schedules

	// Forget and Drift say how fast what was seen loses its worth, see [GrowthStats].
	// From 0; both 0: never.
	Forget float64 `json:"forget"`
	Drift  float64 `json:"drift"`

	// AuthorShape is the shape of the prior around [Activity.Expected], when that
	// is known: below 1, authors vary by more than their mean.
	AuthorShape float64 `json:"author_shape"`

	// Clock is the hour of the day, where the zone's engagement follows one.
	Clock Clock `json:"clock,omitzero"`

	// Mix corrects forecasts where that was seen to gain on the zone's own tweets.
	Mix Mix `json:"mix,omitzero"`

	// Bands are the widths of the forecast's intervals.
	Bands Bands `json:"bands"`

	// Borrowed says that the bands were not learnt on the zone's own tweets.
	Borrowed bool `json:"borrowed,omitempty"`
}

// DefaultModel is the model of a zone nothing was learnt of yet: the rhythm of
// 2,124 real retweet cascades (median 0.9 h, sigma 2.4) for all counters, and
// sizes of ordinary tweets, which vary widely.
func DefaultModel() Model {
	kernel := Kernel{Median: 54 * time.Minute, Sigma: 2.4}
	of := func(mean float64) Growth {
		const shape = 0.3
		return Growth{Kernel: kernel, Prior: Prior{Shape: shape, Rate: shape / mean}}
	}
	return Model{
		Counters: [NumCounters]Growth{
			Retweets: of(25), Replies: of(10), Likes: of(150), Quotes: of(4), Views: of(10_000), Bookmarks: of(10),
		},
		Engagement:  of(190),
		Forget:      1,
		Drift:       1,
		AuthorShape: 0.4,
	}
}

// Learn returns the activity of a tweet after a look-up: prev is what was known
// before, next what is known now, with the activity of prev. A counter that the
// look-up before lacked counts from the tweet's creation on.
//
// The sums recurse (see [GrowthStats]), so a look-up costs the same whatever came before.
func (m Model) Learn(prev, next Tracking) Activity {
	at := next.ObservedAt
	if at.IsZero() { // counts that came with the tweet when it was collected
		at = next.SnapshotAt
	}
	a := next.Activity
	now := at.Sub(next.CreatedAt)
	if now <= 0 || !next.Metrics.Known() {
		return a
	}
	before := max(a.At.Sub(next.CreatedAt), 0)
	if a.At.IsZero() {
		before = 0
		prev.Metrics = Metrics{}
	}
	if now <= before {
		return a
	}
	for _, c := range Counters() {
		n, known := next.Metrics.Of(c).Get()
		if !known {
			continue
		}
		was, knew := prev.Metrics.Of(c).Get()
		e, from := a.Counters[c], before
		if !knew {
			e, from, was = GrowthStats{}, 0, 0
		}
		a.Counters[c] = e.add(&m, m.Counters[c], next.CreatedAt, from, now, float64(n-was))
	}
	a.Delta = next.Metrics.Total() - prev.Metrics.Total()
	a.Engagement = a.Engagement.add(&m, Growth{Kernel: m.Engagement.Kernel, Prior: m.prior(a.Expected)}, next.CreatedAt, before, now, float64(a.Delta))
	a.At = at
	return a.rounded()
}

// Rebuild makes the activity of a tweet posted at createdAt again from its
// snapshots, which must be in order of time; their Deltas and Velocity are not
// used. expected is [Activity.Expected].
func (m Model) Rebuild(createdAt time.Time, expected float64, snapshots []Snapshot) Activity {
	t := Tracking{CreatedAt: createdAt, Activity: Activity{Expected: expected}}
	for _, s := range snapshots {
		next := t
		next.ObservedAt, next.Metrics = s.At, s.Metrics.after(t.Metrics)
		next.Activity = m.Learn(t, next)
		t = next
	}
	return t.Activity
}

// prior returns the prior of a tweet's total engagement: around what its author's
// tweets get, where that is known.
func (m Model) prior(expected float64) Prior {
	if expected > 0 {
		return Prior{Shape: m.AuthorShape, Rate: m.AuthorShape / expected}
	}
	return m.Engagement.Prior
}

// PastTweet is an earlier tweet of an author: its total engagement when last seen, at
// an age.
type PastTweet struct {
	Total int64
	Age   time.Duration
}

// Expect returns the total engagement to expect of an author's next tweet, given
// the recent ones: their mean, each weighed by the share of its engagement that
// had come, shrunk towards the zone's mean as if one more tweet had got that. It
// returns 0, not known, for no tweets.
func (m Model) Expect(past []PastTweet) float64 {
	if len(past) == 0 {
		return 0
	}
	seen, share := m.Engagement.Prior.Mean(), 1.0
	for _, p := range past {
		seen += float64(p.Total)
		share += m.Engagement.Kernel.Share(p.Age)
	}
	return seen / share
}

// Size is the estimate of the total engagement that a tweet will ever get if it
// goes on at the pace of its last look-ups: mean and standard deviation of the
// posterior,
//
//	Â = (a + Σ ωn) / (b + Σ ωΔK),  sd = √(a + Σ ωn) / (b + Σ ωΔK).
//
// Times [Kernel.Rate], and the [Clock], it is the rate now.
func (m Model) Size(a Activity) (mean, sd float64) {
	return posterior(m.prior(a.Expected), a.Engagement)
}

func posterior(p Prior, e GrowthStats) (mean, sd float64) {
	shape, rate := p.Shape+e.Seen, p.Rate+e.Exposure
	return shape / rate, math.Sqrt(shape) / rate
}

// Rate returns the estimated rate of the total engagement of a tweet at now, in
// engagements per hour.
func (m Model) Rate(t Tracking, now time.Time) float64 {
	mean, _ := m.Size(t.Activity)
	age := now.Sub(t.CreatedAt)
	return mean * m.Engagement.Kernel.Rate(age) * m.Clock.at(t.CreatedAt, age)
}
