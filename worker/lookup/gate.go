package lookup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorgone/queue"
	"gorgone/throttle"
	"gorgone/twitter"
)

var (
	// ErrStopping refuses a call because the process is stopping.
	ErrStopping = errors.New("worker is stopping")

	// ErrTakenOver refuses a call for tweets that another worker has taken over.
	ErrTakenOver = errors.New("another worker has taken the batch over")

	// ErrOwnershipUnknown refuses a call that might be paid for twice.
	ErrOwnershipUnknown = errors.New("it is not known whether the tweets are still to be looked up")

	// errTimeInDoubt refuses a call whose answer would have a wrong time, and could not be
	// written: it would be paid for in vain.
	errTimeInDoubt = errors.New("the time is in doubt")

	errLeaseEnds = errors.New("lease ends too soon for another call")
)

// gate lets the calls of one step begin only while they make sense: not after a stop,
// not when a call might outlast what it is for, not while its provider is not to be
// called, and not for tweets that are no longer the caller's.
type gate struct {
	*Provider

	client *Client
	req    Request
	ids    []string        // of the call, without canaries
	tweets int             // that it asks for, with canaries
	paid   bool            // money was taken for it, and what it has cost is to be settled
	stop   context.Context //nolint:containedctx // lives as long as the calls it guards; its cause may say why

	began   time.Time     // database time at which the call was let through; zero: it was not
	granted time.Time     // the same by this machine's monotonic clock
	took    time.Duration // of the call
}

// Wait implements [twitter.Gate].
func (g *gate) Wait(ctx context.Context) error {
	if g.stop.Err() != nil {
		return stopCause(g.stop) //nolint:contextcheck // the cause of the stop is asked, not the call
	}
	if err := g.client.parts.Pauses.Check(g.req.Class); err != nil {
		return err
	}
	if err := g.allowed(); err != nil {
		return err
	}
	if until, reason, paused := g.Limiter.Paused(); paused && until.Sub(g.client.parts.Clock.Database()) > g.maxPause() {
		return &throttle.PausedError{Until: until, Reason: reason}
	}
	if err := g.req.purse.take(ctx, g.tweets, g.ids); err != nil {
		return err
	}
	g.paid = true
	if err := g.await(ctx, g.waitOwned); err != nil {
		return err
	}
	granted := g.client.parts.Clock.Database()
	// That may have changed in the meantime.
	if err := g.allowed(); err != nil {
		g.Limiter.Abandoned(context.WithoutCancel(ctx), granted)
		return err
	}
	g.began, g.granted = granted, time.Now()
	return nil
}

// allowed returns why no call may begin now, because of the time or of the provider.
func (g *gate) allowed() error {
	if err := g.client.parts.Clock.Agrees(); err != nil {
		return fmt.Errorf("%w: %w", errTimeInDoubt, err)
	}
	return g.Breaker.Allow()
}

// settle says what the call has cost.
func (g *gate) settle(cost int) {
	if g.paid {
		g.req.purse.settle(g.tweets, cost)
		g.paid = false
	}
}

// await calls wait with a context that ends when no call may begin any more: after a
// stop, or when the call might outlast what it is for.
func (g *gate) await(ctx context.Context, wait func(context.Context) error) error {
	if g.stop.Err() != nil {
		return stopCause(g.stop) //nolint:contextcheck // the cause of the stop is asked, not the call
	}
	left := g.client.left(g.req)
	if left <= 0 {
		return errLeaseEnds
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, errLeaseEnds)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(g.stop, func() { end(stopCause(g.stop)) })() //nolint:contextcheck // two contexts end this wait
	return wait(ctx)
}

// maxPause is the longest pause to wait through.
func (g *gate) maxPause() time.Duration {
	if most := termsOf(g.req.Class).maxPause; most > 0 {
		return most
	}
	return g.client.left(g.req)
}

// slots are where the class waits for its next call.
func (g *gate) slots() twitter.Gate {
	if g.req.Class == queue.ClassRefresh {
		return g.Refresh
	}
	return g.Batch
}

// errCheckAgain ends a wait for a slot that took longer than ownership is known for.
var errCheckAgain = errors.New("ownership of the tweets has to be checked again")

// waitOwned waits for a slot. Ownership of the tweets is checked before, and again when
// that took long: never between the slot and the call, which has to begin in its slot.
func (g *gate) waitOwned(ctx context.Context) error {
	if g.req.Owner == nil {
		return g.slots().Wait(ctx)
	}
	for {
		valid, err := g.req.Owner.Check(ctx, g.ids)
		if err != nil {
			return err
		}
		if valid == 0 {
			return g.slots().Wait(ctx)
		}
		// No deadline: the limiter would refuse at once to wait up to it.
		waiting, end := context.WithCancelCause(ctx)
		timer := time.AfterFunc(valid, func() { end(errCheckAgain) })
		err = g.slots().Wait(waiting)
		timer.Stop()
		end(nil)
		if !errors.Is(err, errCheckAgain) {
			return err
		}
	}
}
