package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/worker/lookup"
)

// ownershipStore tells what came of a batch that is said to be in hand, or taken over.
type ownershipStore struct {
	*store.Store
	extended, acquired chan store.Ownership
}

func (e *engine) ownershipStore() ownershipStore {
	return ownershipStore{e.store, make(chan store.Ownership, 100), make(chan store.Ownership, 100)}
}

func (s ownershipStore) ExtendBatch(ctx context.Context, h store.OwnershipRequest) (store.Ownership, error) {
	held, err := s.Store.ExtendBatch(ctx, h)
	if err == nil {
		s.extended <- held
	}
	return held, err
}

func (s ownershipStore) AcquireBatch(ctx context.Context, h store.OwnershipRequest) (store.Ownership, error) {
	held, err := s.Store.AcquireBatch(ctx, h)
	if err == nil {
		s.acquired <- held
	}
	return held, err
}

// beforeGate holds a worker up before it asks whether a call may begin, beforeCall
// when it may. Both tell that the worker has come there, and wait until go on is closed.
func beforeGate(there chan<- struct{}, goOn <-chan struct{}) func(lookup.CallFunc) lookup.CallFunc {
	return func(next lookup.CallFunc) lookup.CallFunc {
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			there <- struct{}{}
			<-goOn
			return next(ctx, gate, ids)
		}
	}
}

func beforeCall(there chan<- struct{}, goOn <-chan struct{}) func(lookup.CallFunc) lookup.CallFunc {
	return func(next lookup.CallFunc) lookup.CallFunc {
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
	testkit.Must(e.t, err)
	e.t.Cleanup(conn.Close)
	q, err = queue.Open(e.t.Context(), conn, queue.Config{Prefix: "T", Memory: true, AckWait: takeOverWait})
	testkit.Must(e.t, err)
	return q, conn.Close
}

// takeOverWait is the time after which a batch is redelivered. What a worker has to do in
// time it does in half of it.
const takeOverWait = 8 * time.Second

// drained waits until no batch is in the queue.
func (e *engine) drained() {
	e.t.Helper()
	poll(e.t, "the queue is empty", func() bool {
		depth, err := e.queue.Depth(e.t.Context())
		testkit.Must(e.t, err)
		if depth.DeadLetters > 0 {
			e.t.Fatalf("a batch was dead-lettered: %+v", depth)
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
	firstStore, secondStore := e.ownershipStore(), e.ownershipStore()
	stopFirst := e.run(e.worker(workerOptions{queue: q, store: firstStore, lookup: beforeCall(there, goOn)}))
	e.dispatch()
	<-there
	cut()
	if held := <-firstStore.extended; !held.Owned {
		t.Fatalf("the first does not hold its own batch: %+v", held)
	}
	stopSecond := e.run(e.worker(workerOptions{store: secondStore}))
	if held := <-secondStore.acquired; held.Owned || len(held.Rows) != len(ids) {
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

// TestAWorkerThatIsNotHeardBeginsNoCall: a worker is cut off from the queue while it waits for
// its turn. Another is handed its batch, does it, and the first pays for nothing.
func TestAWorkerThatIsNotHeardBeginsNoCall(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20, ackWait: takeOverWait})
	ids := e.track()
	q, cut := e.apart()
	there, goOn := make(chan struct{}, 1), make(chan struct{})
	stopFirst := e.run(e.worker(workerOptions{queue: q, lookup: beforeGate(there, goOn)}))
	e.dispatch()
	<-there
	cut()
	recorded := e.ownershipStore()
	calling, call := make(chan struct{}, 1), make(chan struct{})
	stopSecond := e.run(e.worker(workerOptions{store: recorded, lookup: beforeCall(calling, call)}))
	<-calling
	if held := <-recorded.acquired; !held.Owned {
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

// TestABatchOfADeadWorkerDoesNotWait: the batch of a worker that died is looked up
// as soon as the queue delivers it again.
func TestABatchOfADeadWorkerDoesNotWait(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20, ackWait: takeOverWait})
	ids := e.track()
	e.dispatch()
	dead, err := e.queue.ConsumeBatches(t.Context())
	testkit.Must(t, err)
	t.Cleanup(dead.Stop)
	_, err = dead.Next(t.Context())
	testkit.Must(t, err)
	recorded := e.ownershipStore()
	stop := e.run(e.worker(workerOptions{store: recorded}))
	e.eventually("tweets updated once", updatedOnce, len(ids))
	stop()
	if held := <-recorded.acquired; !held.Owned || len(recorded.acquired) > 0 {
		t.Errorf("it was put off: %+v, and %d times more", held, len(recorded.acquired))
	}
	e.paidOnce(len(ids))
}

// TestOwnershipOfARedeliveredBatchIsCheckedBeforeTheCall: a worker that was handed a batch
// after another waits for its turn. In that time the other applies its answer, or a
// third takes the batch over: it makes no call.
func TestOwnershipOfARedeliveredBatchIsCheckedBeforeTheCall(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (e *engine, batch queue.Batch, recorded ownershipStore, goOn chan struct{}, stop func()) {
		t.Helper()
		e = newEngine(t, engineOptions{tweets: 20, ackWait: takeOverWait})
		e.track()
		e.dispatch()
		first, err := e.queue.ConsumeBatches(t.Context())
		testkit.Must(t, err)
		d, err := first.Next(t.Context())
		testkit.Must(t, err)
		first.Stop()
		testkit.Must(t, d.Nak(0))
		there := make(chan struct{}, 10)
		recorded, goOn = e.ownershipStore(), make(chan struct{})
		stop = e.run(e.worker(workerOptions{store: recorded, lookup: beforeGate(there, goOn)}))
		<-there
		if held := <-recorded.acquired; !held.Owned || len(held.Rows) != len(d.Batch().Tweets) {
			t.Errorf("taken over: %+v", held)
		}
		return e, d.Batch(), recorded, goOn, stop
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
		testkit.Must(t, err)
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
		e, batch, recorded, goOn, stop := begin(t)
		held, err := e.store.AcquireBatch(t.Context(), store.OwnershipRequest{ClaimID: batch.ID, Owner: uuid.New()})
		if err != nil || !held.Owned {
			t.Fatalf("%+v, %v", held, err)
		}
		close(goOn)
		if held := <-recorded.extended; held.Owned {
			t.Errorf("it did not notice: %+v", held)
		}
		// Nothing of it is given back. The third is dead, and the message comes to the
		// worker once more.
		if held := <-recorded.acquired; !held.Owned || len(held.Rows) != len(batch.Tweets) {
			t.Errorf("taken over again: %+v", held)
		}
		e.eventually("tweets updated once", updatedOnce, len(batch.Tweets))
		e.drained()
		stop()
		e.paidOnce(len(batch.Tweets))
	})
}

// heldStore is the store of a worker whose every attempt to take a batch over finds that
// another has it in hand, for so many times.
type heldStore struct {
	*store.Store

	other uuid.UUID // who has it
	left  atomic.Int64
}

func (s *heldStore) AcquireBatch(ctx context.Context, h store.OwnershipRequest) (store.Ownership, error) {
	if s.left.Add(-1) >= 0 {
		in := store.OwnershipRequest{ClaimID: h.ClaimID, Owner: s.other, Rows: h.Rows, For: time.Second}
		if held, err := s.ExtendBatch(ctx, in); err != nil || !held.Owned {
			return held, err
		}
	}
	return s.Store.AcquireBatch(ctx, h)
}

// TestABatchThatIsPutOffIsNoDeadLetter: a worker that the queue does not hear has a batch in
// hand for long, as while its answer waits for the database, and then dies. The batch was
// delivered to others all the while, who put it off. It failed no one: it is no dead letter,
// none of its tweets backs off, and they are looked up when the lease has ended at the latest.
func TestABatchThatIsPutOffIsNoDeadLetter(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int64{"three times": 3, "as often as it may be delivered": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 20, lease: 24 * time.Second, ackWait: 6 * time.Second})
			ids := e.track()
			e.dispatch()
			dead, err := e.queue.ConsumeBatches(t.Context())
			testkit.Must(t, err)
			d, err := dead.Next(t.Context())
			testkit.Must(t, err)
			dead.Stop()
			testkit.Must(t, d.Nak(0))
			held := &heldStore{Store: e.store, other: uuid.New()}
			held.left.Store(times)
			e.run(e.worker(workerOptions{store: held}))
			e.eventually("leases that ended, or tweets looked up", `
				select count(*) from gorgone.batches where claimed_until < clock_timestamp() or done_at is not null`, 1)
			e.runDispatcher(openGate{}, e.store)
			e.eventually("tweets updated once", updatedOnce, len(ids))
			depth, err := e.queue.Depth(t.Context())
			testkit.Must(t, err)
			if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0`); depth.DeadLetters > 0 || n > 0 {
				t.Errorf("%d dead letters, %d tweets back off", depth.DeadLetters, n)
			}
			e.paidOnce(len(ids))
		})
	}
}
