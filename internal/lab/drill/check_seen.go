package drill

import (
	"fmt"
	"slices"
	"time"
)

const (
	// leastSeen is the share of the tweets that must be seen in time, and seenWithin
	// intervals is in time.
	leastSeen  = 0.95
	seenWithin = 2
)

// everyday are the faults that providers, proxies, poolers and databases have every day.
// Whatever of them happens at once, tweets are seen in time.
func everyday() []kind {
	return []kind{sporadic, poison, balance, odd, readonly, full}
}

// everydayOnly reports whether nothing else happened. Then nothing that was paid for is lost,
// either: see [checkBilled].
func (f *facts) everydayOnly() bool {
	return !slices.ContainsFunc(f.events, func(e event) bool { return !slices.Contains(everyday(), e.kind) })
}

// checkSeen checks how many of the tweets that the provider would have answered were seen
// in time: of the time of the faults, the share in which they had been seen within the last
// two intervals. Where nothing else happens than what happens every day, it has a limit.
func checkSeen(f *facts) checkResult {
	v := checkResult{name: "seen"}
	f.observations()
	var late, whole time.Duration
	tweets := 0
	for _, r := range f.rows {
		if len(f.absences[r.tweet]) > 0 || len(f.struck(r.tweet, poison, outage, lag)) > 0 || len(r.history) == 0 {
			continue
		}
		tweets++
		whole += f.to.Sub(f.from)
		last := f.real(r.history[0].at)
		for _, at := range append(f.times(r), f.to) {
			from, to := last.Add(seenWithin*f.Every), at
			if from.Before(f.from) {
				from = f.from
			}
			if to.After(f.to) {
				to = f.to
			}
			late += max(to.Sub(from), 0)
			last = at
		}
	}
	share := 1.0
	if whole > 0 {
		share = 1 - float64(late)/float64(whole)
	}
	if f.everydayOnly() && share < leastSeen {
		v.fault("%.1f%% of the tweets that the provider would answer were seen in time, want %.0f%%", 100*share, 100*leastSeen)
	}
	v.counts = fmt.Sprintf("%.2f%% of %d tweets that the provider would answer were seen within %d intervals", 100*share, tweets, seenWithin)
	return v
}

// times returns when the row was looked up.
func (f *facts) times(r *row) (list []time.Time) {
	for _, s := range r.lookups {
		list = append(list, f.real(s.at))
	}
	return list
}
