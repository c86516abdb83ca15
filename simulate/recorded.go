package simulate

import (
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
// is not known and not made up, so a horizon beyond it flatters every schedule.
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
		tweets = append(tweets, t)
	}
	return split("history", tweets, seed)
}
