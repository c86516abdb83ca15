package worker_test

import (
	"sync/atomic"
	"testing"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/worker/lookup"
)

// pausedLanes pauses what is named.
type pausedLanes struct{ batches, refreshes atomic.Bool }

func (p *pausedLanes) Check(lane queue.Class) error {
	if lane == queue.ClassBatch && p.batches.Load() || lane == queue.ClassRefresh && p.refreshes.Load() {
		return &lookup.OperatorPauseError{Reason: "maintenance"}
	}
	return nil
}

// TestOperatorPauses: a paused batch goes back to Postgres without a call and is
// not counted as a failure; a paused refresh is answered at once with the reason.
func TestOperatorPauses(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20})
	ids := e.track()
	holds := new(pausedLanes)
	holds.batches.Store(true)
	stop := e.run(e.worker(workerOptions{pauses: holds}))
	defer stop()
	e.dispatch()
	e.eventually("batch given back", `select count(*) from gorgone.batches where done_at is not null and skipped = 20`, 1)
	e.called(0)
	if n := e.count(`select count(*) from public.twitter_engagement_tracking where claim_id is null and attempts = 0`); n != len(ids) {
		t.Errorf("%d of %d rows are free and unblamed", n, len(ids))
	}
	if done := e.refresh(ids[0]); done.Outcome != engagement.RequestUpdated {
		t.Errorf("refreshes are not paused: %+v", done)
	}
	holds.batches.Store(false)
	holds.refreshes.Store(true)
	if done := e.refresh(ids[1]); done.Outcome != engagement.RequestFailed || done.Cause != engagement.CausePaused || done.Reason != "maintenance" {
		t.Errorf("refreshes are paused: %+v", done)
	}
	e.dispatch()
	e.eventually("rows observed", `select count(*) from public.twitter_engagement_tracking where update_count > 0`, len(ids))
}
