package worker_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/worker"
)

// takingSink tells what came of a batch that is said to be in hand, or taken over.
type takingSink struct {
	*store.Store
	kept, taken chan store.Holding
}

func (e *engine) takingSink() takingSink {
	return takingSink{e.store, make(chan store.Holding, 100), make(chan store.Holding, 100)}
}

func (s takingSink) Keep(ctx context.Context, h store.Hold) (store.Holding, error) {
	held, err := s.Store.Keep(ctx, h)
	if err == nil {
		s.kept <- held
	}
	return held, err
}

func (s takingSink) TakeOver(ctx context.Context, h store.Hold) (store.Holding, error) {
	held, err := s.Store.TakeOver(ctx, h)
	if err == nil {
		s.taken <- held
	}
	return held, err
}

// beforeGate holds a worker up before it asks whether a call may begin, beforeCall
// when it may. Both tell that the worker has come there, and wait until go on is closed.
func beforeGate(there chan<- struct{}, goOn <-chan struct{}) func(worker.Lookup) worker.Lookup {
	return func(next worker.Lookup) worker.Lookup {
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			there <- struct{}{}
			<-goOn
			return next(ctx, gate, ids)
		}
	}
}

func beforeCall(there chan<- struct{}, goOn <-chan struct{}) func(worker.Lookup) worker.Lookup {
	return func(next worker.Lookup) worker.Lookup {
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			return next(ctx, heldGate{gate, there, goOn}, ids)
		}
	}
}

type heldGate struct {
	twitter.Gate
	there chan<- struct{}
	goOn  <-chan struct{}
}

func (g heldGate) Wait(ctx context.Context) error {
	if err := g.Gate.Wait(ctx); err != nil {
		return err
	}
	g.there <- struct{}{}
	<-g.goOn
	return nil
}

// apart returns a way to the queue that a test can cut for good.
func (e *engine) apart() (q *queue.Queue, cut func()) {
	e.t.Helper()
	conn, err := queue.Connect(e.t.Context(), queue.Options{URL: e.ground.NATS.ClientURL(), Log: zerolog.Nop()})
	must(e.t, err)
	e.t.Cleanup(conn.Close)
	q, err = queue.Open(e.t.Context(), conn, queue.Config{Prefix: "T", Memory: true, AckWait: takeOverWait})
	must(e.t, err)
	return q, conn.Close
}

// takeOverWait is after which time a batch comes again. What a worker has to do in
// time it does in half of it.
const takeOverWait = 8 * time.Second

// drained waits until no batch is in the queue.
func (e *engine) drained() {
	e.t.Helper()
	poll(e.t, "the queue is empty", func() bool {
		depth, err := e.queue.Depth(e.t.Context())
		must(e.t, err)
		if depth.DeadLetters > 0 {
			e.t.Fatalf("a batch was given up: %+v", depth)
		}
		return depth.Batch.Pending+depth.Batch.AckPending == 0
	})
}

// paidOnce checks that each tweet was looked up and written once, in one call.
func (e *engine) paidOnce(tweets int) {
	e.t.Helper()
	if s := e.double.Stats(); s.Calls != 1 || s.Returned != int64(tweets) {
		e.t.Errorf("%d calls for %d tweets, want one for %d", s.Calls, s.Returned, tweets)
	}
	e.observedOnce(tweets)
}

// TestACallUnderWayIsNotPaidForAgain: the queue loses a worker in the middle of a
// call, and delivers its batch to another. That one finds in the database that the call
// is under way, and leaves it alone until it is applied.
func TestACallUnderWayIsNotPaidForAgain(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20, ackWait: takeOverWait})
	ids := e.track()
	q, cut := e.apart()
	there, goOn := make(chan struct{}, 1), make(chan struct{})
	firstSink, secondSink := e.takingSink(), e.takingSink()
	stopFirst := e.run(e.worker(workerOptions{queue: q, sink: firstSink, lookup: beforeCall(there, goOn)}))
	e.dispatch()
	<-there
	cut()
	if held := <-firstSink.kept; !held.Mine {
		t.Fatalf("the first does not hold its own batch: %+v", held)
	}
	stopSecond := e.run(e.worker(workerOptions{sink: secondSink}))
	if held := <-secondSink.taken; held.Mine || len(held.Rows) != len(ids) {
		t.Errorf("the second took over a call under way: %+v", held)
	}
	if n := e.double.Stats().Calls; n != 0 {
		t.Errorf("%d calls were made", n)
	}
	close(goOn)
	e.eventually("tweets updated once", updatedOnce, len(ids))
	stopFirst()
	e.drained() // the second is handed the message once more, and finds nothing to do
	stopSecond()
	e.paidOnce(len(ids))
}

// TestWhoIsNotHeardBeginsNoCall: a worker is cut off from the queue while it waits for
// its turn. Another is handed its batch, does it, and the first pays for nothing.
func TestWhoIsNotHeardBeginsNoCall(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20, ackWait: takeOverWait})
	ids := e.track()
	q, cut := e.apart()
	there, goOn := make(chan struct{}, 1), make(chan struct{})
	stopFirst := e.run(e.worker(workerOptions{queue: q, lookup: beforeGate(there, goOn)}))
	e.dispatch()
	<-there
	cut()
	sink := e.takingSink()
	calling, call := make(chan struct{}, 1), make(chan struct{})
	stopSecond := e.run(e.worker(workerOptions{sink: sink, lookup: beforeCall(calling, call)}))
	<-calling
	if held := <-sink.taken; !held.Mine {
		t.Errorf("the second works on what is not its own: %+v", held)
	}
	close(goOn)
	stopFirst()
	if n := e.count(`select count(*) from twitter_engagement_tracking where claim_id is not null`); n != len(ids) {
		t.Errorf("the first gave back what the second looks up: %d rows are claimed", n)
	}
	close(call)
	e.eventually("tweets updated once", updatedOnce, len(ids))
	e.drained()
	stopSecond()
	e.paidOnce(len(ids))
}

// TestADeadWorkersBatchWaitsForNothing: the batch of a worker that died is looked up
// as soon as the queue delivers it again.
func TestADeadWorkersBatchWaitsForNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20, ackWait: takeOverWait})
	ids := e.track()
	e.dispatch()
	dead, err := e.queue.Batches(t.Context())
	must(t, err)
	t.Cleanup(dead.Stop)
	_, err = dead.Next(t.Context())
	must(t, err)
	sink := e.takingSink()
	stop := e.run(e.worker(workerOptions{sink: sink}))
	e.eventually("tweets updated once", updatedOnce, len(ids))
	stop()
	if held := <-sink.taken; !held.Mine || len(sink.taken) > 0 {
		t.Errorf("it was put off: %+v, and %d times more", held, len(sink.taken))
	}
	e.paidOnce(len(ids))
}

// TestABatchThatCameAgainIsLookedAtRightBeforeTheCall: a worker that was handed a batch
// after another waits for its turn. In that time the other applies its answer, or a
// third takes the batch over: it makes no call.
func TestABatchThatCameAgainIsLookedAtRightBeforeTheCall(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (e *engine, batch queue.Batch, sink takingSink, goOn chan struct{}, stop func()) {
		t.Helper()
		e = newEngine(t, engineOptions{tweets: 20, ackWait: takeOverWait})
		e.track()
		e.dispatch()
		first, err := e.queue.Batches(t.Context())
		must(t, err)
		d, err := first.Next(t.Context())
		must(t, err)
		first.Stop()
		must(t, d.Nak(0))
		there := make(chan struct{}, 10)
		sink, goOn = e.takingSink(), make(chan struct{})
		stop = e.run(e.worker(workerOptions{sink: sink, lookup: beforeGate(there, goOn)}))
		<-there
		if held := <-sink.taken; !held.Mine || len(held.Rows) != len(d.Batch().Tweets) {
			t.Errorf("taken over: %+v", held)
		}
		return e, d.Batch(), sink, goOn, stop
	}
	t.Run("applied", func(t *testing.T) {
		t.Parallel()
		e, batch, _, goOn, stop := begin(t)
		work := store.Work{ClaimID: batch.ID}
		for _, tweet := range batch.Tweets {
			likes := engagement.Metrics{Likes: engagement.Known(1)}
			work.Results = append(work.Results, store.Result{
				TweetID: tweet.ID, Rows: tweet.Rows, Kind: store.Found, Observation: engagement.Observation{At: e.clock.Now(), Metrics: likes},
			})
		}
		_, err := e.store.Apply(t.Context(), work)
		must(t, err)
		close(goOn)
		e.drained()
		stop()
		if n := e.double.Stats().Calls; n != 0 {
			t.Errorf("%d calls for what was answered", n)
		}
		e.observedOnce(len(batch.Tweets))
	})
	t.Run("taken over", func(t *testing.T) {
		t.Parallel()
		e, batch, sink, goOn, stop := begin(t)
		held, err := e.store.TakeOver(t.Context(), store.Hold{ClaimID: batch.ID, Holder: uuid.New()})
		if err != nil || !held.Mine {
			t.Fatalf("%+v, %v", held, err)
		}
		close(goOn)
		if held := <-sink.kept; held.Mine {
			t.Errorf("it did not notice: %+v", held)
		}
		// Nothing of it is given back. The third is dead, and the message comes to the
		// worker once more.
		if held := <-sink.taken; !held.Mine || len(held.Rows) != len(batch.Tweets) {
			t.Errorf("taken over again: %+v", held)
		}
		e.eventually("tweets updated once", updatedOnce, len(batch.Tweets))
		e.drained()
		stop()
		e.paidOnce(len(batch.Tweets))
	})
}
