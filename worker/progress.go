package worker

import (
	"sync/atomic"
	"time"

	"gorgone/engagement"
	"gorgone/store"
)

// unobserved is an [Observer] that ignores everything.
type unobserved struct{}

func (unobserved) BatchDone(time.Duration)                              {}
func (unobserved) RefreshDone(engagement.RequestOutcome, time.Duration) {}
func (unobserved) Wrote(store.Applied)                                  {}

// Progress is what a worker has done since it started. Rows, not tweets, where
// several zones track the same tweet.
type Progress struct {
	Batches    int64 // batch messages handled
	Applied    int64 // rows written
	Missing    int64 // rows whose tweet was missing from a valid answer
	Deleted    int64 // of those, rows that count as deleted now
	Unresolved int64 // rows that got no usable answer and back off
	Skipped    int64 // rows that another had answered or taken over
	Released   int64 // rows given back
	Refreshes  int64 // refreshes answered, whatever the outcome
	Controls   int64 // tweets asked for only to see whether answers can be believed
	InHand     int64 // batches and groups of refreshes that are being worked on
}

type progress struct {
	batches, applied, missing, deleted, unresolved, skipped, released, refreshes, controls, inHand atomic.Int64
}

// Progress returns the counts so far.
func (w *Worker) Progress() Progress {
	p := &w.progress
	return Progress{
		Batches:    p.batches.Load(),
		Applied:    p.applied.Load(),
		Missing:    p.missing.Load(),
		Deleted:    p.deleted.Load(),
		Unresolved: p.unresolved.Load(),
		Skipped:    p.skipped.Load(),
		Released:   p.released.Load(),
		Refreshes:  p.refreshes.Load(),
		Controls:   p.controls.Load(),
		InHand:     p.inHand.Load(),
	}
}

func (p *progress) batch(c batchStats) {
	p.batches.Add(1)
	p.applied.Add(int64(c.applied))
	p.missing.Add(int64(c.missing))
	p.deleted.Add(int64(c.deleted))
	p.unresolved.Add(int64(c.unresolved))
	p.skipped.Add(int64(c.skipped))
	p.released.Add(int64(c.released))
}
