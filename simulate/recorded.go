package simulate

import (
	"fmt"
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
// between two looks is taken to have grown evenly. What happened after the last look
// is not known and not made up ([Tweet.Until]).
// Tweets first seen later than an hour after their post, or last seen before 6 hours,
// are left out.
func Recorded(records []Record, seed uint64) Population {
	var tweets []Tweet
	for _, r := range records {
		n := len(r.Snapshots)
		if n < 2 || r.Snapshots[0].At.Sub(r.CreatedAt) > latestFirst || r.Snapshots[n-1].At.Sub(r.CreatedAt) < leastLast {
			continue
		}
		var most int64
		for _, s := range r.Snapshots {
			most = max(most, s.Metrics.Total())
		}
		scale := min(1, mostEvents/float64(max(most, 1)))
		t := Tweet{ID: r.ID, Parent: len(tweets)}
		age, have := 0.0, 0
		for _, s := range r.Snapshots {
			at := s.At.Sub(r.CreatedAt).Seconds()
			want := int(float64(s.Metrics.Total()) * scale)
			for i := have; i < want; i++ {
				t.Events = append(t.Events, age+(at-age)*float64(i-have+1)/float64(want-have))
			}
			age, have = at, max(have, want)
		}
		t.Until = age
		tweets = append(tweets, t)
	}
	return split("history", tweets, seed)
}

// Lateness returns by how much each look of a record but the first, which was its
// collection, missed the time that a policy had set for it; below 0: it came sooner.
// A look after the policy's last is left out. expected is what the author's tweets
// get, see [engagement.Activity].
//
// The policy sets the time when the answer is written, and here when the look was
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
