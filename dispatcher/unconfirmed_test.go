package dispatcher_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/dispatcher"
	"gorgone/internal/testkit"
	"gorgone/queue"
)

// deafOnce is a queue whose first answer is lost. Whether it stores what was published
// then is up to the test, as it is up to the moment at which a connection breaks.
type deafOnce struct {
	*queue.Queue
	stores bool
	calls  int
}

func (q *deafOnce) PublishBatches(ctx context.Context, batches []queue.Batch) ([]uuid.UUID, error) {
	if q.calls++; q.calls > 1 {
		return q.Queue.PublishBatches(ctx, batches)
	}
	lost := &queue.UnconfirmedError{Err: queue.ErrUnconfirmed}
	for _, b := range batches {
		lost.Batches = append(lost.Batches, b.ID)
	}
	if q.stores {
		if refused, err := q.Queue.PublishBatches(ctx, batches); err != nil {
			return refused, err
		}
	}
	return nil, lost
}

// TestABatchWhoseAnswerWasLostIsPublishedAgain: it does not wait for the end of its lease
// where the queue never got it, is in the queue once where it did, and is left alone where
// a worker has finished it.
func TestABatchWhoseAnswerWasLostIsPublishedAgain(t *testing.T) {
	t.Parallel()
	const due = 250 // three batches
	for _, c := range []struct {
		name             string
		stored, finished bool
		calls, depth     int
	}{
		{name: "never stored", calls: 2, depth: 3},
		{name: "stored", stored: true, calls: 2, depth: 3},
		{name: "finished, and forgotten by the queue", finished: true, calls: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, due, queue.Config{})
			q := &deafOnce{Queue: h.queue, stores: c.stored}
			d := dispatcher.New(dispatcher.Config{
				Every: time.Second, BatchTweets: 100, Window: dispatcher.Window{Lease: h.queue.Lease(), First: 1000},
			}, h.store, q, h.gate, h.clock, zerolog.Nop())
			r, err := d.DispatchOnce(t.Context(), 0)
			if !errors.Is(err, queue.ErrUnconfirmed) || r.Unsure != due || r.Refused != 0 || h.claimed() != due {
				t.Fatalf("%+v, %d claimed: %v", r, h.claimed(), err)
			}
			if c.finished {
				_, err := h.sql.Exec(t.Context(), `update twitter_engagement_tracking
					set claim_id = null, next_update_at = now() + interval '1 hour'`)
				testkit.Must(t, err)
			}
			r, err = d.DispatchOnce(t.Context(), 0)
			if err != nil || r.Unsure != 0 || r.Tweets != 0 {
				t.Errorf("the second dispatch: %+v, %v", r, err)
			}
			if q.calls != c.calls || h.depth() != c.depth {
				t.Errorf("%d publications, %d batches in the queue, want %d and %d", q.calls, h.depth(), c.calls, c.depth)
			}
			if _, err := d.DispatchOnce(t.Context(), 0); err != nil || q.calls != c.calls {
				t.Errorf("published again once confirmed: %d publications, %v", q.calls, err)
			}
		})
	}
}
