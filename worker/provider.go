package worker

import (
	"cmp"
	"context"
	"errors"
	"time"

	"gorgone/queue"
	"gorgone/twitter"
)

// Provider is who can be asked for tweets, and what all replicas know of it.
type Provider struct {
	Name    string
	Lookup  Lookup
	Balance Balance
	MaxIDs  func() int   // ids a call takes now
	Batch   twitter.Gate // the shared pace, as batches see it
	Refresh twitter.Gate // and as refreshes do
	Pace    Pace
	Breaker Breaker
	Account Account
}

// Balance asks the provider what is left of the account. It costs nothing, and asks
// gate like [Lookup].
type Balance func(ctx context.Context, gate twitter.Gate) (twitter.Balance, error)

// Pace is the pace of calls that all replicas share.
type Pace interface {
	// Limited tells that a call begun at the given database time was refused for
	// going too fast; calls are to rest for the given time.
	Limited(ctx context.Context, began time.Time, after time.Duration) error
	// Answered tells that such a call was not.
	Answered(ctx context.Context, began time.Time)
	// Trial has the next call go alone.
	Trial(ctx context.Context)
	// Paused tells whether calls rest, until what database time, and why.
	Paused() (until time.Time, reason string, paused bool)
}

// Breaker stops the calls of all replicas while they can lead to nothing.
type Breaker interface {
	Allow() error // a [queue.OpenError] while it is open
	Open(ctx context.Context, began time.Time, cause queue.Cause, reason string)
	Failed(ctx context.Context, began time.Time, reason string)
	Succeeded(ctx context.Context, began time.Time)
	Run(ctx context.Context, check func(context.Context) (cause queue.Cause, reason string))
}

// Account keeps what is left of the account for all to see.
type Account interface {
	Take(ctx context.Context, every time.Duration) (mine bool, err error)
	Put(ctx context.Context, left int64, unit string) error
}

// Why a provider is left alone, for people.
const (
	reasonNoCredit   = "the provider account is out of credit"
	reasonKeyRefused = "the provider refuses the API key"
	reasonOutage     = "the provider fails again and again"
)

// usable returns the first provider whose breaker lets calls through. The error is
// the first one's.
func (w *Worker) usable() (*Provider, error) {
	var first error
	for _, p := range w.Providers {
		err := p.Breaker.Allow()
		if err == nil {
			return p, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// group is how many refreshes are looked up together: what a call takes of the
// provider that would be asked.
func (w *Worker) group() int {
	if p, err := w.usable(); err == nil {
		return p.MaxIDs()
	}
	return w.Providers[0].MaxIDs()
}

// gate lets a call of one message begin only while it makes sense: not after a
// stop, not when the call might outlast what the message has left, and not while
// the provider is left alone.
type gate struct {
	lane queue.Lane
	stop context.Context      //nolint:containedctx // the gate lives as long as the call it guards; its cause may say why
	left func() time.Duration // until when a call must have begun
	hold func() time.Duration // the longest pause to wait through
	held func(queue.Lane) error

	// sure tells whether the tweets are still to be looked up by this worker, and for
	// how long that is so without asking again; 0: for good. nil: they are.
	sure func(context.Context) (time.Duration, error)

	*Provider

	clock Clock
	began time.Time // database time at which the last call was let go; zero: none was
}

// Wait implements [twitter.Gate].
func (g *gate) Wait(ctx context.Context) error {
	g.answered(ctx)
	if g.stop.Err() != nil {
		return g.stopped()
	}
	left := g.left()
	if left <= 0 {
		return errLeaseEnds
	}
	if err := g.held(g.lane); err != nil {
		return err
	}
	if err := g.Breaker.Allow(); err != nil {
		return err
	}
	if until, reason, paused := g.Pace.Paused(); paused && until.Sub(g.clock.Database()) > g.hold() {
		return &queue.PausedError{Until: until, Reason: reason}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, left, errLeaseEnds)
	defer cancel()
	ctx, stopped := context.WithCancelCause(ctx)
	defer stopped(nil)
	defer context.AfterFunc(g.stop, func() { stopped(g.stopped()) })() //nolint:contextcheck // two contexts end this wait
	pace := g.Batch
	if g.lane == queue.LaneRefresh {
		pace = g.Refresh
	}
	if err := g.waitSure(ctx, pace); err != nil {
		return err
	}
	// It may have opened in the meantime.
	if err := g.Breaker.Allow(); err != nil {
		return err
	}
	g.began = g.clock.Database()
	return nil
}

// errAskAgain ends a wait for a slot that took longer than what was sure before it.
var errAskAgain = errors.New("it is not sure any more that the tweets are still to be looked up")

// waitSure waits for a slot at the pace. Whether the tweets are still to be looked up
// is asked before, and again when that took long: never between the slot and the
// call, which has to begin in its slot.
func (g *gate) waitSure(ctx context.Context, pace twitter.Gate) error {
	if g.sure == nil {
		return pace.Wait(ctx)
	}
	for {
		sure, err := g.sure(ctx)
		if err != nil {
			return err
		}
		if sure == 0 {
			return pace.Wait(ctx)
		}
		// No deadline: the pace would refuse at once to wait up to it.
		waiting, end := context.WithCancelCause(ctx)
		timer := time.AfterFunc(sure, func() { end(errAskAgain) })
		err = pace.Wait(waiting)
		timer.Stop()
		end(nil)
		if !errors.Is(err, errAskAgain) {
			return err
		}
	}
}

// stopped is why no further call may begin.
func (g *gate) stopped() error {
	if errors.Is(context.Cause(g.stop), errUnsure) {
		return errUnsure
	}
	return errStopping
}

// answered tells that the last call was answered: only then there is a next one.
func (g *gate) answered(ctx context.Context) {
	if !g.began.IsZero() {
		g.Pace.Answered(ctx, g.began)
		g.Breaker.Succeeded(ctx, g.began)
		g.began = time.Time{}
	}
}

// heed lets all replicas know what a call ended with, if that matters to others.
// began is zero when none was made.
func (w *Worker) heed(ctx context.Context, p *Provider, began time.Time, err error) {
	if began.IsZero() {
		return
	}
	// What is learnt of the provider is worth telling also when the work is over.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	log := w.Log.Warn().Err(err).Str("provider", p.Name)
	switch kind := twitter.Kind(err); kind {
	case twitter.KindRateLimited:
		after := w.cfg.RatePause
		if limited, ok := errors.AsType[*twitter.RateLimitError](err); ok && limited.After > 0 {
			after = limited.After
		}
		log.Dur("for_ms", after).Msg("Rate limit exceeded: pausing all workers")
		if err := p.Pace.Limited(ctx, began, after); err != nil {
			w.Log.Error().Err(err).Msg("share the pause")
		}
		return
	case twitter.KindOutOfCredit:
		log.Msg("calls refused: stopping all workers")
		p.Breaker.Open(ctx, began, queue.CauseOutOfCredit, reasonNoCredit)
	case twitter.KindUnauthorized:
		log.Msg("calls refused: stopping all workers")
		p.Breaker.Open(ctx, began, queue.CauseKeyRefused, reasonKeyRefused)
	case twitter.KindFault, twitter.KindMalformed:
		p.Breaker.Failed(ctx, began, reasonOutage)
	case twitter.KindOK, twitter.KindBadRequest:
		p.Breaker.Succeeded(ctx, began)
	default:
		return // the call was cut off by us
	}
	p.Pace.Answered(ctx, began)
}
