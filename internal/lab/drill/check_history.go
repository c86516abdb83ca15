package drill

import (
	"fmt"
	"time"
)

// checkHistory checks each row's history: strictly ordered; every point explained
// by an answer of the provider, and no answer by two points; the sum of the deltas
// the difference of the last and the first counts; the last point no more than the row's
// counts; and each look-up that has no point found what the point before it has.
// And no point that was there is there no more.
func checkHistory(f *facts) checkResult {
	v := checkResult{name: "history"}
	l := f.observations()
	points := 0
	for _, r := range f.rows {
		if len(r.history) == 0 {
			if !f.isNew(r.tweet) {
				v.fault("row %s of tweet %s has lost its baseline", r.id, r.tweet)
			}
			continue
		}
		points += len(r.history)
		checkSums(&v, f, r)
		checkLookups(&v, f, r)
		for _, s := range l.unexplained[r] {
			v.fault("row %s of tweet %s: the point of %s %v is in no answer of the provider, or was there already", r.id, r.tweet, f.real(s.at).Format(clockTime), s.counts)
		}
	}
	for i := 1; i < len(f.points); i++ {
		if f.points[i] < f.points[i-1] {
			v.fault("history had %d points, and then %d", f.points[i-1], f.points[i])
		}
	}
	v.counts = fmt.Sprintf("%d points of %d rows: ordered, each from an answer of its own, deltas add up", points, len(f.rows))
	return v
}

func checkSums(v *checkResult, f *facts, r *row) {
	first, last := r.history[0], r.history[len(r.history)-1]
	var sum [5]int64
	var before time.Time
	for i, s := range r.history {
		if i > 0 {
			checkDeltas(v, f, r, r.history[i-1], s)
		}
		if !s.at.After(before) {
			v.fault("row %s of tweet %s has two points at %s", r.id, r.tweet, f.real(s.at).Format(clockTime))
		}
		before = s.at
		for j, d := range s.deltas {
			if i > 0 && r.history[i-1].unknown[j] {
				d += s.counts[j] // there was none to differ from
			}
			sum[j] += d
		}
	}
	for i := range last.counts {
		if r.counts[i] < last.counts[i] {
			v.fault("row %s of tweet %s: count %d is %d, and was %d in its last point", r.id, r.tweet, i, r.counts[i], last.counts[i])
		}
	}
	for i := range sum {
		if sum[i] != last.counts[i]-first.counts[i] {
			v.fault("row %s of tweet %s: the deltas of count %d add up to %d, and it went from %d to %d", r.id, r.tweet, i, sum[i], first.counts[i], last.counts[i])
		}
	}
}

// checkLookups checks that the history tells what every look-up found.
func checkLookups(v *checkResult, f *facts, r *row) {
	i := 0
	for _, s := range r.lookups {
		for i+1 < len(r.history) && !r.history[i+1].at.After(s.at) {
			i++
		}
		if r.history[i].counts != s.counts {
			v.fault("row %s of tweet %s: the look-up at %s found %v, and the history has %v then", r.id, r.tweet, f.real(s.at).Format(clockTime), s.counts, r.history[i].counts)
		}
	}
}

// checkDeltas checks one point against the one before it. A count that was not known before
// has nothing to differ from.
func checkDeltas(v *checkResult, f *facts, r *row, before, s snapshot) {
	for i, d := range s.deltas {
		want := s.counts[i] - before.counts[i]
		if before.unknown[i] {
			want = 0
		}
		if d != want {
			v.fault("row %s of tweet %s: at %s the delta of count %d is %d, from %d to %d", r.id, r.tweet, f.real(s.at).Format(clockTime), i, d, before.counts[i], s.counts[i])
		}
	}
}
