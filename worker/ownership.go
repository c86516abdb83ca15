package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/queue"
	"gorgone/store"
	"gorgone/worker/lookup"
)

// A batch message goes to a second worker when the queue has not heard from the first
// for an AckWait: because it died, or because the connection between the two is cut.
// In the second case the tweets must not be paid for twice. So a worker to which a
// message is redelivered takes the batch over in the database, and checks there again
// before it waits for the slot of each call; a worker that the queue does not hear
// records there that a call is under way, which keeps others from acquiring it; and one that may
// have been taken for dead checks there before it begins another. A message may also
// arrive late, long after it was redelivered to another worker: its rows say so when
// they are read. A batch that is delivered once, as nearly all are, costs none of this.

// callUnderWayError says that another worker has a call for the batch under way.
type callUnderWayError struct{ until time.Time } // engine time until which it has said so

func (e *callUnderWayError) Error() string { return "another worker has the batch in hand" }

// ownership is the right of one delivery of a batch to look its rows up.
type ownership struct {
	store       Store
	database    *database
	delivery    *queue.BatchDelivery
	holder      uuid.UUID // this delivery
	redelivered bool
	begun       func()                  // called before a call
	refuseCalls context.CancelCauseFunc // no further call may begin
	rows        map[string][]uuid.UUID  // open rows by tweet id
	calling     atomic.Bool             // a call was begun, and not all of its answer is written
	log         zerolog.Logger
}

// hold is the wish to be the one that looks rows up, for so long without asking again.
func (o *ownership) hold(rows []uuid.UUID, rest time.Duration) store.OwnershipRequest {
	return store.OwnershipRequest{ClaimID: o.delivery.Batch().ID, Owner: o.holder, Rows: rows, For: rest}
}

// known returns all rows of the batch with what its message says of them, if that is worth
// as much as a look into the database: the message was delivered once and at once, less
// than half of the lease is over, and the database, which is to take the answer, is not
// known to be unavailable. In that time a refresh may have answered a tweet;
// the look-up of it is then paid for twice, and written once, by the fence of Apply.
func (o *ownership) known(now time.Time) ([]store.Held, bool) {
	b := o.delivery.Batch()
	if b.Known == nil || o.redelivered || !o.delivery.Prompt() || o.database.unavailable.Load() || now.Sub(b.Known.At) >= b.Until.Sub(b.Known.At)/2 {
		return nil, false
	}
	var held []store.Held
	for i, t := range b.Tweets {
		for _, row := range t.Rows {
			held = append(held, store.Held{Row: row, Standing: b.Known.States[i]})
		}
	}
	return held, true
}

// acquire returns those of rows that the batch still holds. A redelivered batch is
// taken over, unless another worker has a call for it under way.
func (o *ownership) acquire(ctx context.Context, rows []uuid.UUID) ([]store.Held, error) {
	if !o.redelivered {
		held, err := o.store.HeldRows(ctx, o.delivery.Batch().ID, rows)
		if err == nil && len(held) > 0 && held[0].Owned {
			return nil, lookup.ErrTakenOver
		}
		return held, err
	}
	h, err := o.store.AcquireBatch(ctx, o.hold(rows, 0))
	if err == nil && !h.Owned && len(h.Rows) > 0 {
		return nil, &callUnderWayError{h.Until}
	}
	return h.Rows, err
}

// Check implements [lookup.Owner]. A call may begin if no other worker can have been given
// the batch, otherwise only while all its rows are open and still owned.
func (o *ownership) Check(ctx context.Context, ids []string) (valid time.Duration, err error) {
	o.begun()
	if !o.redelivered && o.delivery.StillOwned() {
		o.calling.Store(true)
		return 0, nil
	}
	rows := o.rowsOf(ids)
	h, err := o.store.ExtendBatch(ctx, o.hold(rows, o.delivery.AckWait()))
	o.database.note(err)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", lookup.ErrOwnershipUnknown, err)
	case !h.Owned:
		return 0, lookup.ErrTakenOver
	case len(h.Rows) < len(rows):
		return 0, lookup.ErrOwnershipUnknown
	}
	o.calling.Store(true)
	return o.delivery.AckWait() / 2, nil // the rest is for the call
}

// extend is called when the queue has not heard that the batch is being worked on. No
// further call is begun; while one is under way the database tells the others so.
func (o *ownership) extend(ctx context.Context) {
	o.refuseCalls(lookup.ErrOwnershipUnknown)
	if !o.calling.Load() {
		return
	}
	// The queue may be heard again meanwhile: that is not to wait for the database.
	ctx, cancel := context.WithTimeout(ctx, o.delivery.AckWait()/4)
	defer cancel()
	switch h, err := o.store.ExtendBatch(ctx, o.hold(nil, o.delivery.AckWait())); {
	case err != nil:
		o.log.Warn().Err(err).Msg("could not say that a batch is in hand: it may be looked up twice")
	case !h.Owned:
		o.log.Warn().Msg("batch was taken over under a call")
	}
}

// stillOwned keeps others from taking the batch over while this worker ends its work
// on it, and fails with [lookup.ErrTakenOver] when one has.
func (o *ownership) stillOwned(ctx context.Context) error {
	if !o.redelivered && o.delivery.StillOwned() {
		return nil
	}
	h, err := o.store.ExtendBatch(ctx, o.hold(nil, o.delivery.AckWait()))
	if err == nil && !h.Owned {
		return lookup.ErrTakenOver
	}
	return err
}

// release releases the claim of rows, unless another worker may be looking them up.
func (o *ownership) release(ctx context.Context, rows []uuid.UUID) error {
	if err := o.stillOwned(ctx); err != nil {
		return err
	}
	return o.store.Release(ctx, o.delivery.Batch().ID, rows)
}

// rowsOf returns the open rows of tweets.
func (o *ownership) rowsOf(ids []string) (rows []uuid.UUID) {
	for _, id := range ids {
		rows = append(rows, o.rows[id]...)
	}
	return rows
}

// takenOver reports whether the work on a batch ended because it is another worker's.
func takenOver(err error) bool { return errors.Is(err, lookup.ErrTakenOver) }
