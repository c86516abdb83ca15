package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
)

// A batch message comes to a second worker when the queue has not heard from the
// first for an AckWait: because it died, or because the way between the two is cut.
// In the second case the tweets must not be paid for twice. So whoever is handed a
// message again takes the batch over in the database, and looks there again before it
// waits for the slot of each call; a worker that is not heard by the queue says there that a call is
// under way, which nobody takes over; and one that may have been taken for dead looks
// there before it begins another. A message may also come late, long after another
// worker was handed it again: its rows say so when they are read. A batch that comes
// once costs nothing of this.

var (
	// errTaken ends the work on a batch that another worker has taken over. Its rows
	// and its message are the other's.
	errTaken = errors.New("another worker has taken the batch over")

	// errUnsure lets no call begin that might be paid for twice.
	errUnsure = errors.New("it is not sure that the tweets are still to be looked up")
)

// inHandError says that another worker has a call for the batch under way.
type inHandError struct{ until time.Time } // engine time up to which it has said so

func (e *inHandError) Error() string { return "another worker has the batch in hand" }

// leastInHandDelay is the least after which a message comes again that another
// worker has in hand.
const leastInHandDelay = 100 * time.Millisecond

// hold is the wish to be the one that looks rows up, for so long without another
// word.
func (j *job) hold(rows []uuid.UUID, rest time.Duration) store.Hold {
	return store.Hold{ClaimID: j.batch.ID, Holder: j.holder, Rows: rows, For: rest}
}

// held returns those of rows that the batch still holds. A batch that was delivered
// before is taken over, unless it is in hand.
func (j *job) held(ctx context.Context, rows []uuid.UUID) ([]store.Held, error) {
	if !j.again {
		held, err := j.Sink.HeldRows(ctx, j.batch.ID, rows)
		if err == nil && len(held) > 0 && held[0].TakenOver {
			return nil, errTaken
		}
		return held, err
	}
	h, err := j.Sink.TakeOver(ctx, j.hold(rows, 0))
	if err == nil && !h.Mine && len(h.Rows) > 0 {
		return nil, &inHandError{h.Until}
	}
	return h.Rows, err
}

// putOff gives the message back until the one who has the batch in hand has applied it,
// or is known to be dead.
func (j *job) putOff(until time.Time) {
	j.log.Info().Time("until", until).Msg("batch is in hand elsewhere")
	if err := j.delivery.Nak(max(j.Clock.Real(until.Sub(j.Clock.Now())), leastInHandDelay)); err != nil {
		j.log.Warn().Err(err).Msg("put off a batch that is in hand elsewhere")
	}
}

// sure lets a call for the tweets begin: if nobody else can have been handed the
// batch, otherwise only while they are still to be looked up, and by this worker. It
// returns for how long that is so without another word; 0: as long as the queue hears
// of the batch.
func (j *job) sure(ctx context.Context, ids []string) (time.Duration, error) {
	if !j.again && j.delivery.Ours() {
		j.calling.Store(true)
		return 0, nil
	}
	rows := j.rowsOf(ids)
	h, err := j.Sink.Keep(ctx, j.hold(rows, j.delivery.AckWait()))
	j.noteOutage(err)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %w", errUnsure, err)
	case !h.Mine:
		return 0, errTaken
	case len(h.Rows) < len(rows):
		return 0, errUnsure
	}
	j.calling.Store(true)
	return j.delivery.AckWait() / 2, nil // the rest is for the call
}

// unheard is called when the queue has not heard that the batch is in hand. No
// further call is begun; while one is under way the others are told so by the database.
func (j *job) unheard(ctx context.Context) {
	j.cut(errUnsure)
	if !j.calling.Load() {
		return
	}
	// The queue may be heard again meanwhile: that is not to wait for the database.
	ctx, cancel := context.WithTimeout(ctx, j.delivery.AckWait()/4)
	defer cancel()
	switch h, err := j.Sink.Keep(ctx, j.hold(nil, j.delivery.AckWait())); {
	case err != nil:
		j.log.Warn().Err(err).Msg("could not say that a batch is in hand: it may be looked up twice")
	case !h.Mine:
		j.log.Warn().Msg("batch was taken over under a call")
	}
}

// stay keeps others from taking the batch over while this worker ends its work on it,
// and fails with errTaken when one has.
func (j *job) stay(ctx context.Context) error {
	if !j.again && j.delivery.Ours() {
		return nil
	}
	h, err := j.Sink.Keep(ctx, j.hold(nil, j.delivery.AckWait()))
	if err != nil {
		return err
	}
	if !h.Mine {
		return errTaken
	}
	return nil
}

// release gives rows back, unless another worker may be looking them up.
func (j *job) release(ctx context.Context, rows []uuid.UUID) error {
	if err := j.stay(ctx); err != nil {
		return err
	}
	return j.Sink.Release(ctx, j.batch.ID, rows)
}

// rowsOf returns the open rows of tweets.
func (j *job) rowsOf(ids []string) (rows []uuid.UUID) {
	for _, id := range ids {
		rows = append(rows, j.rows[id]...)
	}
	return rows
}
