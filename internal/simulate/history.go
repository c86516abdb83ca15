package simulate

import (
	"time"

	"gorgone/engagement"
)

// HistoryAges are when a recorded tweet was looked at: 2 and 5 min, then as the
// tiers do, then every two hours.
func HistoryAges(until time.Duration) []time.Duration {
	ages := []time.Duration{2 * time.Minute, 5 * time.Minute}
	p := engagement.DefaultTierPolicy()
	at := epoch
	for {
		if _, next := p.Schedule(engagement.Tracking{CreatedAt: epoch}, at); !next.IsZero() {
			at = next
		} else {
			at = at.Add(2 * time.Hour)
		}
		if at.Sub(epoch) > until {
			return ages
		}
		ages = append(ages, at.Sub(epoch))
	}
}

// Histories records tweets as the engine would, for fitting a model, each as far as
// it is known.
func Histories(tweets []Tweet, until time.Duration) []engagement.History {
	ages := HistoryAges(until)
	out := make([]engagement.History, len(tweets))
	for i := range tweets {
		h := engagement.History{CreatedAt: tweets[i].createdAt(), Snapshots: make([]engagement.Snapshot, 0, len(ages))}
		for _, age := range ages {
			if !tweets[i].known(age) {
				break
			}
			h.Snapshots = append(h.Snapshots, engagement.Snapshot{
				At: h.CreatedAt.Add(age), Metrics: engagement.Metrics{Retweets: engagement.Known(int64(tweets[i].CountAt(age.Seconds())))},
			})
		}
		out[i] = h
	}
	return out
}
