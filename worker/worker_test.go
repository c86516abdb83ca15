package worker_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
)

// TestEveryTweetIsAppliedOnce is the main job at once: two dispatchers and four
// workers over 8,000 tweets.
func TestEveryTweetIsAppliedOnce(t *testing.T) {
	t.Parallel()
	const tweets = 8_000
	e := newEngine(t, engineOptions{tweets: tweets})
	e.track()
	ctx, cancel := context.WithCancel(t.Context())
	var dispatchers conc.WaitGroup
	for range 2 {
		dispatchers.Go(func() { e.dispatcher(openGate{}).Run(ctx) })
	}
	stop := e.run(e.worker(workerOptions{}), e.worker(workerOptions{}), e.worker(workerOptions{}), e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, tweets)
	cancel()
	dispatchers.Wait()
	stop()
	if n := e.count(snapshots); n != tweets {
		t.Errorf("%d snapshots of %d tweets", n, tweets)
	}
	if n := e.count(`select count(distinct tweet_id) from twitter_engagement_history`); n != tweets {
		t.Errorf("%d tweets have a snapshot, want %d", n, tweets)
	}
	if s := e.double.Stats(); s.Returned != tweets {
		t.Errorf("%d tweets were paid for, want %d", s.Returned, tweets)
	}
	depth, err := e.queue.Depth(t.Context())
	testkit.Must(t, err)
	if depth.Batch.Pending != 0 || depth.Batch.AckPending != 0 || depth.DeadLetters != 0 {
		t.Errorf("left in the queue: %+v", depth)
	}
}

// TestWorkersTogetherKeepTheRate lets two workers share a rate that the double
// enforces, and asks the double's log.
func TestWorkersTogetherKeepTheRate(t *testing.T) {
	t.Parallel()
	// At a hundred calls a second the 3 % that stay unused are three calls: one that
	// is held up on a busy machine does not make a second too full.
	const rate, tweets = 100, 10_000
	e := newEngine(t, engineOptions{tweets: tweets, rate: rate})
	e.track()
	for e.dispatch().Tweets > 0 {
	}
	stop := e.run(e.worker(workerOptions{rate: rate}), e.worker(workerOptions{rate: rate}))
	// Outstanding work is bounded, so dispatching goes on beside.
	ctx, cancel := context.WithCancel(t.Context())
	var dispatching conc.WaitGroup
	dispatching.Go(func() { e.dispatcher(openGate{}).Run(ctx) })
	e.eventually("tweets updated once", updatedOnce, tweets)
	cancel()
	dispatching.Wait()
	stop()
	s := e.double.Stats()
	if s.MaxPerSecond > rate || s.RateLimited > 0 {
		t.Errorf("%d calls within a second, %d refused; the rate is %d", s.MaxPerSecond, s.RateLimited, rate)
	}
}

// TestFrozenWorkerWritesNothing freezes a worker between its look-up and its
// write until its lease has ended and another worker has done the work.
func TestFrozenWorkerWritesNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 10})
	e.track()
	frozen := &freezingStore{Store: e.store, frozen: make(chan struct{}), thaw: make(chan struct{})}
	e.dispatch()
	stopFrozen := e.run(e.worker(workerOptions{store: frozen}))
	<-frozen.frozen
	// The lease ends: as if three minutes had passed.
	_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking set claimed_until = $1`, e.clock.Now())
	testkit.Must(t, err)
	_, err = e.sql.Exec(t.Context(), `update gorgone.batches set claimed_until = $1`, e.clock.Now())
	testkit.Must(t, err)
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 10)
	close(frozen.thaw)
	stopFrozen()
	if n := e.count(updatedOnce); n != 10 {
		t.Errorf("%d tweets updated once, want 10: the frozen worker wrote", n)
	}
	if n := e.count(snapshots); n != 10 {
		t.Errorf("%d snapshots of 10 tweets", n)
	}
	if n := frozen.lost.Load(); n != 10 {
		t.Errorf("the frozen worker lost %d rows, want all 10", n)
	}
}

type freezingStore struct {
	*store.Store
	once   atomic.Bool
	frozen chan struct{}
	thaw   chan struct{}
	lost   atomic.Int64
}

func (s *freezingStore) Apply(ctx context.Context, w store.Work) (store.Applied, error) {
	if s.once.CompareAndSwap(false, true) {
		close(s.frozen)
		<-s.thaw
		a, err := s.Store.Apply(ctx, w)
		s.lost.Add(int64(a.Count(engagement.RowLostClaim)))
		return a, err
	}
	return s.Store.Apply(ctx, w)
}

func TestStopGivesBackWhatHasNotBegun(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1000})
	e.track()
	e.dispatch()
	// At one call in fifty seconds, all but the first wait for their turn.
	first := e.worker(workerOptions{rate: 0.02})
	stop := e.run(first)
	e.called(1)
	stop()
	if n := e.count(updatedOnce); n != 50 {
		t.Errorf("%d tweets were updated, want the 50 of the call", n)
	}
	depth, err := e.queue.Depth(t.Context())
	testkit.Must(t, err)
	// A message that was given back counts as in hand until it is taken again.
	if n := depth.Batch.Pending + depth.Batch.AckPending; n != 10 {
		t.Errorf("after the stop %d batches are in the queue, want all 10: %+v", n, depth.Batch)
	}
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 1000)
}
