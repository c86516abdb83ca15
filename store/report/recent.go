package report

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store"
)

// Recent is what became of the batches that were done in a stretch of time up to
// now. Durations are engine time.
type Recent struct {
	RecentWork

	LatencyMean time.Duration // from the claim to the last answer of a batch
	LatencyP95  time.Duration
	LatencyMax  time.Duration
	Steps       []RecentStep // the stretch cut into equal parts, the oldest first
}

// RecentWork adds up batches.
type RecentWork struct {
	Batches    int
	Found      int // tweets that were answered with their counts
	Missing    int // tweets that a valid answer lacked
	Unresolved int // tweets without a usable answer
	OddCounts  int // of those found, tweets with counters that could not be read or were not believed
	Calls      store.Calls
}

// RecentStep is a part of the stretch.
type RecentStep struct {
	From time.Time
	RecentWork
}

// Both read the batches done in the stretch only, by index.
const selectRecent = `
	select floor(extract(epoch from (done_at - $1::timestamptz)) / $3::float8)::int4 as step,
		count(*)::int4, sum(found)::int4, sum(missing)::int4, sum(unresolved)::int4,
		sum(calls)::int4, sum(failed_calls)::int4, sum(call_ms)::float8, sum(odd_counts)::int4
	from gorgone.batches where done_at > $1::timestamptz and done_at <= $2::timestamptz
	group by step order by step`

const selectLatency = `
	select coalesce(avg(took), 0)::float8, coalesce(percentile_cont(0.95) within group (order by took), 0)::float8, coalesce(max(took), 0)::float8
	from (select extract(epoch from (done_at - claimed_at))::float8 as took
		from gorgone.batches where done_at > $1::timestamptz and done_at <= $2::timestamptz and found + missing + unresolved > 0) b`

// Recent reads what became of the batches done since then, in a number of equal
// steps. Records of batches are kept for two leases only.
func (r *Reader) Recent(ctx context.Context, since time.Time, steps int) (Recent, error) {
	now := r.clock.Now()
	width := now.Sub(since) / time.Duration(max(steps, 1))
	if width <= 0 {
		return Recent{}, fmt.Errorf("read recent batches: %d steps since %s", steps, since.Format(time.RFC3339))
	}
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	var recent Recent
	err := r.db.Send(ctx, func(b *pgx.Batch) {
		recent = Recent{Steps: make([]RecentStep, steps)}
		for i := range recent.Steps {
			recent.Steps[i].From = since.Add(time.Duration(i) * width)
		}
		b.Queue(selectRecent, since, now, width.Seconds()).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var (
					step int
					w    RecentWork
					ms   float64
				)
				if err := rows.Scan(&step, &w.Batches, &w.Found, &w.Missing, &w.Unresolved, &w.Calls.Count, &w.Calls.Failed, &ms, &w.OddCounts); err != nil {
					return err
				}
				w.Calls.Time = time.Duration(ms * float64(time.Millisecond))
				recent.Steps[min(max(step, 0), steps-1)].add(w)
				recent.add(w)
			}
			return rows.Err()
		})
		b.Queue(selectLatency, since, now).QueryRow(func(r pgx.Row) error {
			var mean, p95, most float64
			if err := r.Scan(&mean, &p95, &most); err != nil {
				return err
			}
			recent.LatencyMean, recent.LatencyP95, recent.LatencyMax = seconds(mean), seconds(p95), seconds(most)
			return nil
		})
	})
	if err != nil {
		return Recent{}, fmt.Errorf("read recent batches: %w", err)
	}
	return recent, nil
}

func (w *RecentWork) add(o RecentWork) {
	w.Batches += o.Batches
	w.Found += o.Found
	w.Missing += o.Missing
	w.Unresolved += o.Unresolved
	w.OddCounts += o.OddCounts
	w.Calls.Count += o.Calls.Count
	w.Calls.Failed += o.Calls.Failed
	w.Calls.Time += o.Calls.Time
}

// From how many calls or tweets on a share of them says something about the provider, and
// what share is a fault: of calls that failed and tweets without a usable answer half, of
// counters a tenth, because a few tweets may have odd ones.
const (
	fewestCalls  = 5
	fewestTweets = 10
	faultyShare  = 0.5
	oddShare     = 0.1
)

// Fault returns what is wrong with the provider, by what came of the last calls: most of
// them failed, most tweets had no usable answer, or many had counters that are of no use.
// It is nil when all is well.
func (w RecentWork) Fault() error {
	tweets := w.Found + w.Missing + w.Unresolved
	switch {
	case w.Calls.Count >= fewestCalls && float64(w.Calls.Failed) >= faultyShare*float64(w.Calls.Count):
		return fmt.Errorf("%d of the last %d calls failed", w.Calls.Failed, w.Calls.Count)
	case tweets >= fewestTweets && float64(w.Unresolved) >= faultyShare*float64(tweets):
		return fmt.Errorf("%d of the last %d tweets had no usable answer", w.Unresolved, tweets)
	case w.Found >= fewestTweets && float64(w.OddCounts) >= oddShare*float64(w.Found):
		return fmt.Errorf("%d of the last %d tweets had counters that cannot be read or believed", w.OddCounts, w.Found)
	}
	return nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
