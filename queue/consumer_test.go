package queue_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/sourcegraph/conc"

	"gorgone/queue"
	"gorgone/queue/queuetest"
)

// A worker that stops while it waits, or that just fetched, returns it at once:
// another gets every message on its first or second delivery, long before the
// AckWait.
func TestInboxEndGivesBack(t *testing.T) {
	t.Parallel()
	stop := errors.New("stopping")
	for _, c := range []struct {
		name string
		end  func(in *queue.BatchConsumer, cancel context.CancelCauseFunc)
		want error
	}{
		{"by its context", func(_ *queue.BatchConsumer, cancel context.CancelCauseFunc) { cancel(stop) }, stop},
		{"by Stop", func(in *queue.BatchConsumer, _ context.CancelCauseFunc) { in.Stop() }, queue.ErrStopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, q := queuetest.Start(t, queue.Config{Lease: 6 * patience, AckWait: patience + patience/2}) // longer than patience
			var sent, taken []uuid.UUID
			var wg conc.WaitGroup
			// Messages arrive just as workers stop, again and again.
			for i := range 60 {
				in := batches(t, q)
				ctx, cancel := context.WithCancelCause(testContext(t))
				wg.Go(func() {
					d, err := in.Next(ctx)
					switch {
					case err == nil:
						// It came before the end: it is the worker's now.
						taken = append(taken, d.Batch().ID)
						if err := d.Ack(testContext(t)); err != nil {
							t.Error(err)
						}
					case !errors.Is(err, c.want):
						t.Errorf("ended with %v, want %v", err, c.want)
					}
				})
				awaitDepth(t, q, "a worker waits", func(d queue.Depth) bool { return d.Batch.Waiting > 0 })
				b := newBatch(1, 1)
				sent = append(sent, b.ID)
				if i%2 == 0 {
					publish(t, q, b) // it is on its way to the worker
				} else {
					wg.Go(func() { publish(t, q, b) })
				}
				c.end(in, cancel)
				wg.Wait()
				cancel(nil)
				if len(taken) < len(sent) {
					d := next(t, batches(t, q))
					taken = append(taken, d.Batch().ID)
					if err := d.Ack(testContext(t)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if !slices.Equal(sent, taken) {
				t.Errorf("sent %d batches, and got %d or others", len(sent), len(taken))
			}
		})
	}
}

func TestInboxAfterStop(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	publish(t, q, newBatch(1, 1))
	in := batches(t, q)
	in.Stop()
	in.Stop()
	if _, err := in.Next(testContext(t)); !errors.Is(err, queue.ErrStopped) {
		t.Errorf("Next says %v", err)
	}
	awaitDepth(t, q, "the batch is still there", func(d queue.Depth) bool { return d.Batch.Pending == 1 })
}

// A context that ends does not end the consumer.
func TestInboxGoesOnAfterContext(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	in := batches(t, q)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := in.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("Next says %v", err)
	}
	b := newBatch(1, 1)
	publish(t, q, b)
	if d := next(t, in); d.Batch().ID != b.ID {
		t.Errorf("got %s", d.Batch().ID)
	}
}

// Nothing is fetched unasked, so workers share what is there.
func TestInboxFetchesNoMoreThanAsked(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	publish(t, q, newBatch(1, 1), newBatch(1, 1), newBatch(1, 1))
	a, b := batches(t, q), batches(t, q)
	next(t, a)
	next(t, b)
	awaitDepth(t, q, "one is left and no one asks", func(d queue.Depth) bool {
		return d.Batch.Pending == 1 && d.Batch.AckPending == 2 && d.Batch.Waiting == 0
	})
	next(t, a)
}

func TestInboxSurvivesRestart(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	in := batches(t, q)
	got := make(chan uuid.UUID, 1)
	take := func() {
		d, err := in.Next(testContext(t))
		if err != nil {
			t.Error(err)
			close(got)
			return
		}
		if err := d.Ack(testContext(t)); err != nil {
			t.Error(err)
		}
		got <- d.Batch().ID
	}
	var wg conc.WaitGroup
	for range 3 {
		wg.Go(take)
		awaitDepth(t, q, "the worker waits", func(d queue.Depth) bool { return d.Batch.Waiting > 0 })
		server.Restart()
		b := newBatch(1, 1)
		// By a process that starts only now.
		publish(t, queuetest.Open(t, server, queue.Config{}), b)
		if id := <-got; id != b.ID {
			t.Fatalf("got %s, want %s", id, b.ID)
		}
		wg.Wait()
	}
}

func TestInboxSurvivesLostConsumer(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	in := refreshes(t, q)
	var wg conc.WaitGroup
	var group []*queue.RefreshDelivery
	wg.Go(func() { group = nextGroup(t, in, 10) })
	awaitDepth(t, q, "the worker waits", func(d queue.Depth) bool { return d.Refresh.Waiting > 0 })
	if err := deleteStream(t, server.Connect(t), "ENG_REFRESH"); err != nil {
		t.Fatal(err)
	}
	r := newRefresh(1)
	// The worker may have set the queue up again in the moment before the stream was
	// gone; that is not done twice within a second.
	await(t, "a refresh is published", func() bool {
		_, err := q.PublishRefresh(testContext(t), r)
		return err == nil
	})
	wg.Wait()
	if len(group) != 1 || group[0].Refresh().RequestID != r.RequestID {
		t.Errorf("got a group of %d", len(group))
	}
}

// JetStream does not fence: who answers late removes a message that another
// worker has by then. It must not be an error, and nothing comes a third time.
func TestLateAck(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{AckWait: time.Second})
	publish(t, q, newBatch(1, 1))
	in := batches(t, q)
	first := next(t, in)
	second := next(t, in) // when the first's AckWait is over
	if second.Deliveries() != 2 || second.Batch().ID != first.Batch().ID {
		t.Fatalf("delivery %d of %s", second.Deliveries(), second.Batch().ID)
	}
	if err := first.Ack(testContext(t)); err != nil {
		t.Fatalf("late ack: %v", err)
	}
	if err := second.Ack(testContext(t)); err != nil {
		t.Fatalf("second ack: %v", err)
	}
	awaitDepth(t, q, "nothing is left", func(d queue.Depth) bool { return d.Batch == queue.ClassDepth{} })
}

// Who cannot say that a message is in hand is told so.
func TestKeepAliveUnheard(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{AckWait: 3 * time.Second})
	publish(t, q, newBatch(1, 1))
	held := next(t, batches(t, q))
	if !held.StillOwned() {
		t.Error("a message that was just delivered counts as given to another")
	}
	server.Stop()
	unheard := make(chan struct{}, 100)
	stop := held.KeepAlive(testContext(t), func(context.Context) { unheard <- struct{}{} })
	defer stop()
	for range 3 {
		<-unheard
	}
	if held.StillOwned() {
		t.Error("a message that the server has not heard of for its AckWait counts as still owned")
	}
	if err := held.InProgress(t.Context()); !errors.Is(err, queue.ErrNotConnected) {
		t.Errorf("in progress: %v", err)
	}
}

// A message that is kept alive is not delivered to anybody else, for longer than
// its AckWait; when it is released, it is.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{AckWait: 6 * time.Second})
	beats := make(chan *nats.Msg, 100)
	nc := server.Connect(t)
	if _, err := nc.ChanSubscribe("$JS.ACK.ENG_BATCH.>", beats); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	publish(t, q, newBatch(1, 1))
	in := batches(t, q)
	held := next(t, in)
	stop := held.KeepAlive(testContext(t), nil)
	for range 4 { // 8 s
		if m := <-beats; string(m.Data) != "+WPI" {
			t.Fatalf("the worker said %q", m.Data)
		}
	}
	if d := depth(t, q); d.Batch.AckPending != 1 || d.Batch.Redelivered != 0 {
		t.Errorf("depth is %+v, want the batch still with its worker", d)
	}
	stop()
	if again := next(t, in); again.Deliveries() != 2 {
		t.Errorf("delivery %d, want 2", again.Deliveries())
	}
}
