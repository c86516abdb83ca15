package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/dispatcher"
	"gorgone/internal/enginetest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/worker"
)

// connectedGate is closed while the queue is unavailable.
type connectedGate struct{ conn *queue.Conn }

func (g connectedGate) Closed() string {
	if !g.conn.Connected() {
		return "the queue is unavailable"
	}
	return ""
}

// countingSource counts the claims that are tried.
type countingSource struct {
	*store.Store
	claims atomic.Int64
}

func (s *countingSource) Claim(ctx context.Context, req store.ClaimRequest) (store.Claimed, error) {
	s.claims.Add(1)
	return s.Store.Claim(ctx, req)
}

// countingStore counts what is to be written, and may hold it up.
type countingStore struct {
	*store.Store
	applies atomic.Int64
	pause   func(n int64) // called before the nth apply; may be nil
}

func (s *countingStore) Apply(ctx context.Context, w store.Work) (store.Applied, error) {
	if n := s.applies.Add(1); s.pause != nil {
		s.pause(n)
	}
	return s.Store.Apply(ctx, w)
}

var (
	_ dispatcher.Source = (*countingSource)(nil)
	_ worker.Store      = (*countingStore)(nil)
)

// TestPostgresCrashesUnderWork crashes the database twice while batches are being
// looked up and written. Nothing is acked that was not committed, every tweet is
// written once, and all of it goes on by itself.
func TestPostgresCrashesUnderWork(t *testing.T) {
	t.Parallel()
	const tweets = 3000
	db := enginetest.StartPostgres(t)
	e := newEngine(t, engineOptions{tweets: tweets, database: db.URL})
	e.track()
	crash := make(chan struct{})
	recorded := &countingStore{Store: e.store, pause: func(n int64) {
		if n == 4 || n == 12 {
			crash <- struct{}{}
		}
	}}
	e.runDispatcher(connectedGate{e.conn}, e.store)
	stop := e.run(e.worker(workerOptions{store: recorded}), e.worker(workerOptions{store: recorded}))
	for range 2 {
		<-crash
		db.Abort()
		// What is in hand stays in the queue: an ack would have taken it out.
		depth, err := e.queue.Depth(t.Context())
		testkit.Must(t, err)
		if depth.Batch.Pending+depth.Batch.AckPending == 0 {
			t.Error("with the database away no batch is left in the queue")
		}
		db.Start()
		e.sql = pgtest.Connect(t, db.URL)
	}
	e.eventually("tweets updated once", updatedOnce, tweets)
	e.observedOnce(tweets)
	stop()
	if depth, err := e.queue.Depth(t.Context()); err != nil || depth.Batch.Pending+depth.Batch.AckPending+depth.DeadLetters > 0 {
		t.Errorf("left in the queue: %+v, %v", depth, err)
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0`); n != 0 {
		t.Errorf("%d tweets are blamed for the outage", n)
	}
}

// TestNATSRestartsUnderWork stops NATS while batches are in hand. Workers finish and
// write those; nothing is claimed until NATS is there again; then all goes on.
func TestNATSRestartsUnderWork(t *testing.T) {
	t.Parallel()
	const tweets = 3000
	e := newEngine(t, engineOptions{tweets: tweets, disk: true, ackWait: 2 * time.Second})
	e.track()
	stopped := make(chan struct{})
	var held atomic.Int64
	recorded := &countingStore{Store: e.store, pause: func(n int64) {
		if n > 3 && n <= 7 {
			held.Add(1)
			<-stopped // those are in hand when NATS goes
		}
	}}
	source := &countingSource{Store: e.store}
	e.runDispatcher(connectedGate{e.conn}, source)
	stop := e.run(e.worker(workerOptions{store: recorded}))
	poll(t, "batches in hand", func() bool { return held.Load() >= 2 })
	before := e.count(updatedOnce)
	e.ground.NATS.Stop()
	poll(t, "the connection is lost", func() bool { return !e.conn.Connected() })
	close(stopped)
	poll(t, "what was in hand is written", func() bool { return e.count(updatedOnce) >= before+200 })
	claims := source.claims.Load()
	idle := e.dispatcher(connectedGate{e.conn})
	for range 3 { // as three ticks
		if r, err := idle.DispatchOnce(t.Context(), 0); err != nil || r.Closed == "" || r.Tweets > 0 {
			t.Errorf("dispatched with NATS away: %+v, %v", r, err)
		}
	}
	if n := source.claims.Load(); n > claims {
		t.Errorf("%d claims with NATS away", n-claims)
	}
	e.ground.NATS.Resume()
	e.eventually("tweets updated once", updatedOnce, tweets)
	e.observedOnce(tweets)
	poll(t, "the queue is empty", func() bool {
		depth, err := e.queue.Depth(t.Context())
		return err == nil && depth.Batch.Pending+depth.Batch.AckPending == 0
	})
	stop()
}

// runDispatcher runs a dispatcher until the test ends.
func (e *engine) runDispatcher(gate dispatcher.Gate, source dispatcher.Source) {
	d := dispatcher.New(dispatcher.Config{
		Every: 200 * time.Millisecond, BatchTweets: 100, Window: dispatcher.Window{Lease: e.queue.Lease(), First: 1000},
	}, source, e.queue, gate, e.clock, zerolog.Nop())
	e.runBeside(d.Run)
}

// observedOnce checks that each tweet has the one snapshot of its one look.
func (e *engine) observedOnce(tweets int) {
	e.t.Helper()
	if n := e.count(snapshots); n != tweets {
		e.t.Errorf("%d snapshots of %d tweets", n, tweets)
	}
	if n := e.count(`select count(distinct tweet_id) from twitter_engagement_history`); n != tweets {
		e.t.Errorf("%d tweets have a snapshot, want %d", n, tweets)
	}
}

// poll waits until it is so.
func poll(t *testing.T, what string, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(2 * time.Minute)
	defer limit.Stop()
	for !so() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("%s: not reached", what)
		}
	}
}
