package worker

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	retryBase    = 500 * time.Millisecond
	retryCeiling = 10 * time.Second
)

// database is what a worker knows about the database: whether it can be reached, and
// how many batches use it at once.
type database struct {
	ping        func(context.Context) error
	unavailable atomic.Bool   // as far as is known
	stuck       atomic.Int64  // writes that it does not take at this moment, though it may answer
	written     atomic.Int64  // writes that it took
	refusal     atomic.Value  // the last error of a write that it did not take
	slots       chan struct{} // one for each batch that may use it
	waiting     atomic.Int64  // batches that wait for a slot
	left        chan struct{} // tells that one got it
	clock       Clock
	random      func() float64
	log         zerolog.Logger
}

// errStuck says that the database answers, and does not take what is to be written.
var errStuck = errors.New("the database answers, but takes no writes")

// ready returns an error while the database does not take what is to be written, such as
// one whose disk is full, which may answer everything else.
func (d *database) ready() error {
	if d.stuck.Load() == 0 {
		return nil
	}
	if last, ok := d.refusal.Load().(refusal); ok {
		return fmt.Errorf("%w: %w", errStuck, last.err)
	}
	return errStuck
}

// refusal is an error as an [atomic.Value] holds it.
type refusal struct{ err error }

// note remembers whether the database is unavailable, from the result of using it.
func (d *database) note(err error) {
	switch {
	case err == nil:
		d.unavailable.Store(false)
	case postgres.Unavailable(err):
		d.unavailable.Store(true)
	}
}

// await returns nil at once unless the database is known to be unavailable, or its clock is
// so far off that nothing is written; then it waits until that is over. A worker keeps what
// it has, or gives it back; but it fetches nothing that it could not write.
func (d *database) await(ctx context.Context) error {
	for tries := 1; d.unavailable.Load() || d.stuck.Load() > 0 || d.clock.Agrees() != nil; tries++ {
		err := d.clock.Agrees()
		if err == nil {
			err = d.ping(ctx)
		}
		if err == nil && d.stuck.Load() > 0 {
			err = errStuck
		}
		if err == nil {
			if d.unavailable.CompareAndSwap(true, false) {
				d.log.Info().Msg("database available again, fetching work")
			}
			return nil
		}
		if tries == 1 {
			d.log.Warn().Err(err).Msg("database unavailable, fetching no work")
		}
		if err := pause(ctx, engagement.Backoff(tries, retryBase, retryCeiling, d.random())); err != nil {
			return err
		}
	}
	return nil
}

// retry calls f until it succeeds, fails for a reason other than an unavailable
// database, or engine time has reached until, after which it is of no use.
func (d *database) retry(ctx context.Context, until time.Time, log *zerolog.Logger, f func() error) error {
	for tries := 1; ; tries++ {
		err := f()
		d.note(err)
		if err == nil || !postgres.Unavailable(err) || !d.clock.Now().Before(until) {
			return err
		}
		log.Warn().Err(err).Int("tries", tries).Msg("database unavailable, trying again")
		if err := pause(ctx, engagement.Backoff(tries, retryBase, retryCeiling, d.random())); err != nil {
			return err
		}
	}
}

// inSlot calls f in one of the slots. More batches at once would not be written
// sooner, and would only slow refreshes down.
func (d *database) inSlot(ctx context.Context, f func() error) error {
	d.waiting.Add(1)
	var err error
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	d.waiting.Add(-1)
	select {
	case d.left <- struct{}{}:
	default:
	}
	if err != nil {
		return err
	}
	return f()
}

// awaitRoom waits until fewer batches wait for a slot than there are slots. Where the
// database is the bottleneck, what is looked up faster would only wait for it, paid for
// and not written. It is for one caller at a time.
func (d *database) awaitRoom(ctx context.Context) error {
	for int(d.waiting.Load()) >= cap(d.slots) {
		select {
		case <-d.left:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// pause waits for d or until ctx ends, and then returns the cause.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
