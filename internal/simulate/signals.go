package simulate

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/sourcegraph/conc/iter"

	"gorgone/engagement"
)

// Signals are what arrives of a tweet by itself: a share of its engagements is seen, as a quote
// or a retweet that carries the counts of its original, or as a reply, which carries none.
type Signals struct {
	Recall float64 // share of the engagements that is seen, from 0 to 1
	Counts bool    // what is seen carries the tweet's counts: a free observation
}

// seen returns which events of a tweet are signals: at a higher recall those of a lower one, and
// others.
func (s Signals) seen(t *Tweet) (ages []float64) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(t.ID))
	x := h.Sum64() | 1
	for _, at := range t.Events {
		// xorshift64* (Vigna 2016)
		x ^= x >> 12
		x ^= x << 25
		x ^= x >> 27
		if float64((x*2685821657736338717)>>11)/(1<<53) < s.Recall && at > t.Found {
			ages = append(ages, at)
		}
	}
	return ages
}

// replay follows a policy and the signals of a tweet. It returns the ages of the paid look-ups
// and of all observations, and how many paid ones showed nothing new.
func (s Signals) replay(p engagement.Policy, t *Tweet, horizon float64) (paid, all []float64, empty int) {
	created := t.createdAt()
	count := func(age float64) engagement.Metrics {
		return engagement.Metrics{Retweets: engagement.Known(int64(t.CountAt(age)))}
	}
	tweet := engagement.Tracking{TweetID: t.ID, CreatedAt: created, Metrics: count(t.Found)}
	tweet.Activity.Expected = t.Expected
	u, err := engagement.Track(p, tweet, created.Add(seconds(t.Found)))
	signals := s.seen(t)
	var signalled time.Time
	for err == nil {
		due := math.Inf(1)
		if next := u.Tracking.NextUpdateAt; !next.IsZero() {
			due = next.Sub(created).Seconds()
		}
		age, free := due, false
		if len(signals) > 0 && signals[0] < due {
			age, signals, free = signals[0], signals[1:], true
		}
		if age > horizon {
			return paid, all, empty
		}
		now := created.Add(seconds(age))
		if free && !s.Counts {
			if next, ok := engagement.PullForward(u.Tracking, signalled, now); ok {
				u.Tracking.NextUpdateAt, signalled = next, now
			}
			continue
		}
		if free && now.Sub(u.Tracking.ObservedAt) < engagement.MinSnapshotGap {
			continue
		}
		before := u.Tracking
		if u, err = engagement.Observe(p, before, engagement.Observation{At: now, Metrics: count(age)}, now); err != nil {
			return paid, all, empty
		}
		all = append(all, age)
		if !free {
			paid = append(paid, age)
			if u.Tracking.Metrics == before.Metrics {
				empty++
			}
		}
	}
	return paid, all, empty
}

// Run scores a policy with the signals, as [Run] does a plan. Look-ups are those that are paid
// for; delay and staleness count what the signals show too.
func (s Signals) Run(tweets []Tweet, p engagement.Policy, horizon time.Duration) []Score {
	scores := make([]Score, len(tweets))
	iter.ForEachIdx(tweets, func(i int, t *Tweet) {
		paid, all, empty := s.replay(p, t, horizon.Seconds())
		scores[i] = t.score(slices.Compact(all), horizon.Seconds(), false)
		scores[i].Lookups, scores[i].Empty = float64(len(paid)), float64(empty)
	})
	return scores
}

// Sweep is the frontier of a family of policies with the signals.
func (s Signals) Sweep(name string, tweets []Tweet, budget float64, horizon time.Duration, family func(price float64) engagement.Policy) Curve {
	return sweep(name, budget, func(price float64) []Score { return s.Run(tweets, family(price), horizon) })
}

// LooksForDelay returns what share of a number of look-ups a tweet, at which the base has a delay,
// gives another curve the same delay, with the interval over parents. enough says that the other
// has a shorter delay with the fewest look-ups that it makes at any price.
func LooksForDelay(base, other Curve, tweets []Tweet, budget float64, samples int, seed uint64) (share Estimate, enough bool) {
	summaries := func(c Curve, weights []float64) []Summary {
		points := make([]Summary, len(c.Points))
		for i := range c.Points {
			points[i] = Summarize(c.Points[i].Scores, weights)
		}
		return points
	}
	of := func(weights []float64) float64 {
		same := at(summaries(base, weights), looks, budget, delay)
		return at(summaries(other, weights), delay, same, looks) / budget
	}
	last := &other.Points[len(other.Points)-1].Summary
	if last.Delay < at(summaries(base, nil), looks, budget, delay) {
		return Estimate{}, true
	}
	parents := byParent(tweets)
	drawn := make([]float64, samples)
	iter.ForEachIdx(drawn, func(i int, out *float64) {
		*out = of(parents.draw(rand.New(rand.NewPCG(seed, uint64(i)))))
	})
	return interval(of(nil), slices.DeleteFunc(drawn, math.IsNaN)), false
}
