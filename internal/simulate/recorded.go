package simulate

import (
	"fmt"
	"math"
	"time"

	"gorgone/engagement"
)

// Record is what the engine itself saw of a tweet.
type Record struct {
	ID        string
	CreatedAt time.Time
	Snapshots []engagement.Snapshot // in order of time
}

// Limits of what a record can stand for.
const (
	latestFirst = time.Hour     // age of the first snapshot: before, nothing is known
	leastLast   = 6 * time.Hour // age of the last one
	mostEvents  = 20_000        // larger tweets are scaled down to this
)

// Recorded makes a population of recorded tweets: the total engagement, which
// between two look-ups is taken to have grown evenly in the square root of the age, as it
// slows down. What happened after the last look-up
// is not known and not made up ([Tweet.Until]).
// Tweets first seen later than an hour after their post, or last seen before 6 hours,
// are left out.
func Recorded(records []Record, seed uint64) Population {
	var tweets []Tweet
	for _, r := range records {
		if t, ok := r.tweet(); ok {
			t.Parent = len(tweets)
			tweets = append(tweets, t)
		}
	}
	return split("history", tweets, seed)
}

// tweet returns the life that a record shows; ok is false when it shows too little of it.
func (r Record) tweet() (t Tweet, ok bool) {
	n := len(r.Snapshots)
	if n < 2 || r.Snapshots[0].At.Sub(r.CreatedAt) > latestFirst || r.Snapshots[n-1].At.Sub(r.CreatedAt) < leastLast {
		return Tweet{}, false
	}
	var most int64
	for _, s := range r.Snapshots {
		most = max(most, s.Metrics.Total())
	}
	scale := min(1, mostEvents/float64(max(most, 1)))
	t = Tweet{ID: r.ID, Posted: r.CreatedAt.Sub(r.CreatedAt.UTC().Truncate(24 * time.Hour))}
	age, have := 0.0, 0
	for _, s := range r.Snapshots {
		at := s.At.Sub(r.CreatedAt).Seconds()
		want, from := int(float64(s.Metrics.Total())*scale), math.Sqrt(age)
		for i := have; i < want; i++ {
			root := from + (math.Sqrt(at)-from)*(float64(i-have)+0.5)/float64(want-have)
			t.Events = append(t.Events, root*root)
		}
		age, have = at, max(have, want)
	}
	t.Until = age
	return t, true
}

// Lateness returns by how much each look-up of a record but the first, which was its
// collection, missed the time that a policy had set for it; below 0: it came sooner.
// A look-up after the policy's last is left out. expected is what the author's tweets
// get, see [engagement.Activity].
//
// The policy sets the time when the answer is written, and here when the look-up was
// made: what lies between counts as lateness.
func Lateness(p engagement.Policy, r Record, expected float64) ([]time.Duration, error) {
	if len(r.Snapshots) == 0 {
		return nil, nil
	}
	first := r.Snapshots[0]
	tweet := engagement.Tracking{TweetID: r.ID, CreatedAt: r.CreatedAt, Metrics: first.Metrics}
	tweet.Activity.Expected = expected
	u, err := engagement.Track(p, tweet, first.At)
	if err != nil {
		return nil, fmt.Errorf("replay %s: %w", r.ID, err)
	}
	var late []time.Duration
	for _, s := range r.Snapshots[1:] {
		if due := u.Tracking.NextUpdateAt; !due.IsZero() {
			late = append(late, s.At.Sub(due))
		}
		if u, err = engagement.Observe(p, u.Tracking, engagement.Observation{At: s.At, Metrics: s.Metrics, Provider: s.Provider}, s.At); err != nil {
			return nil, fmt.Errorf("replay %s: %w", r.ID, err)
		}
	}
	return late, nil
}
