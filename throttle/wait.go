package throttle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gorgone/queue"
)

// ErrDeadline is returned by [ClassLimiter.Wait] as soon as it is known that the call
// may not start before the context's deadline. The error also matches
// [context.DeadlineExceeded].
var ErrDeadline = errors.New("the rate limit allows no call before the deadline")

// PausedError is returned by [ClassLimiter.Wait] when calls are paused beyond the
// context's deadline. It also matches [context.DeadlineExceeded].
type PausedError struct {
	Until  time.Time // database time
	Reason string
}

func (e *PausedError) Error() string {
	return fmt.Sprintf("calls are paused until %s: %s", e.Until.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap lets the error match [context.DeadlineExceeded].
func (e *PausedError) Unwrap() error { return context.DeadlineExceeded }

// After a server error a reservation is retried after minReserveDelay, and after twice
// as long for each further error.
const (
	minReserveDelay = 20 * time.Millisecond
	maxReserveDelay = time.Second
)

// ClassLimiter is a [Limiter] as calls of one class see it.
type ClassLimiter struct {
	limiter *Limiter
	class   queue.Class

	waiting   atomic.Int64  // callers without a slot
	reserving chan struct{} // held by the one caller that reserves
	rivals    contention    // used only by that one

	mu    sync.Mutex
	slots []time.Time // reserved slots that no caller has taken yet, in order
}

func newClassLimiter(l *Limiter, class queue.Class) *ClassLimiter {
	return &ClassLimiter{limiter: l, class: class, reserving: make(chan struct{}, 1)}
}

// Wait blocks until a call may start and returns nil: start it at once. It costs one
// request to NATS per run of calls (50 ms of the rate, or more where NATS is slow, and no
// more calls than wait in this process), and none when the rate is unlimited.
//
// When the call may not start before the deadline of ctx, Wait returns as soon as that
// is known: [ErrDeadline], or a [PausedError]. When ctx is cancelled it returns the
// cause. While NATS is unreachable it blocks.
func (c *ClassLimiter) Wait(ctx context.Context) error {
	l := c.limiter
	for {
		if err := l.awaitResume(ctx); err != nil {
			return err
		}
		if l.cfg.Rate == 0 {
			c.granted(time.Time{}, l.clock.Database())
			return nil
		}
		slot, err := c.takeSlot(ctx)
		if err != nil {
			return err
		}
		now := l.clock.Database()
		// The shared clock may stand still for a moment while the database catches up.
		for ; now.Before(slot) && !fromFuture(slot, now); now = l.clock.Database() {
			if err := l.sleep(ctx, slot.Sub(now)); err != nil {
				c.giveBack(ctx, slot)
				return err
			}
		}
		if l.expired(slot, now) || fromFuture(slot, now) {
			l.forfeit(slot)
			continue
		}
		// A pause may have started since the slot was reserved.
		if _, _, paused := l.Paused(); paused {
			l.forfeit(slot)
			continue
		}
		c.granted(slot, now)
		return nil
	}
}

func (c *ClassLimiter) granted(slot, now time.Time) {
	if onGrant := c.limiter.cfg.OnGrant; onGrant != nil {
		onGrant(Grant{Class: c.class, Slot: slot, At: now})
	}
}

// takeSlot returns a slot before the deadline of ctx: one that is reserved already, or
// the first of a new run.
func (c *ClassLimiter) takeSlot(ctx context.Context) (time.Time, error) {
	l := c.limiter
	c.waiting.Add(1)
	defer c.waiting.Add(-1)
	select {
	case c.reserving <- struct{}{}:
		defer func() { <-c.reserving }()
	case <-ctx.Done():
		return time.Time{}, waitError(ctx)
	}
	var serverErr error // of the last attempt; nil: none
	for failures := 0; ; {
		if slot, ok := c.nextSlot(); ok {
			if l.afterDeadline(ctx, slot) {
				c.giveBack(ctx, slot)
				return time.Time{}, fmt.Errorf("%w: %w", ErrDeadline, context.DeadlineExceeded)
			}
			return slot, nil
		}
		slots, wait, err := c.reserve(ctx, int(c.waiting.Load()))
		switch {
		case err == nil:
			failures, serverErr = 0, nil
			c.addSlots(slots)
		case ctx.Err() != nil:
			return time.Time{}, withServerError(waitError(ctx), serverErr)
		case errors.Is(err, queue.ErrConflict):
			c.rivals.collided()
			wait = c.afterMoment()
		default:
			if failures == 0 {
				l.log.Warn().Err(err).Str("lane", string(c.class)).Msg("calls are blocked: the shared rate limiter is unreachable")
			}
			wait = min(minReserveDelay<<min(failures, 10), maxReserveDelay)
			wait += time.Duration(l.cfg.Random() * float64(wait))
			failures, serverErr = failures+1, err
		}
		if err := l.sleep(ctx, wait); err != nil {
			return time.Time{}, withServerError(err, serverErr)
		}
	}
}

// afterMoment returns how long after a moment for which other replicas may wait too to try.
func (c *ClassLimiter) afterMoment() time.Duration {
	delay := c.rivals.delay(c.limiter.shared.toWrite(), c.limiter.cfg.Random())
	if c.class == queue.ClassRefresh {
		return min(delay, maxRefreshWindow)
	}
	return delay
}

// nextSlot takes the first reserved slot that can still be used.
func (c *ClassLimiter) nextSlot() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.limiter.clock.Database()
	for len(c.slots) > 0 {
		slot := c.slots[0]
		c.slots = c.slots[1:]
		if !c.limiter.expired(slot, now) && !fromFuture(slot, now) {
			return slot, true
		}
		c.limiter.forfeit(slot)
	}
	return time.Time{}, false
}

func (c *ClassLimiter) addSlots(slots []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slots = append(c.slots, slots...)
}

// returnSlot returns a slot for another caller to take.
func (c *ClassLimiter) returnSlot(slot time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := 0
	for i < len(c.slots) && c.slots[i].Before(slot) {
		i++
	}
	c.slots = append(c.slots[:i], append([]time.Time{slot}, c.slots[i:]...)...)
}

// giveBackTimeout bounds telling the other replicas that the probe was given up.
const giveBackTimeout = 2 * time.Second

// giveBack returns a slot that its caller cannot use. The probe's is not kept for another
// caller of this process, of which there may be none: another replica may make the probe.
func (c *ClassLimiter) giveBack(ctx context.Context, slot time.Time) {
	if probe := c.limiter.probe.Load(); probe == nil || !probe.Equal(slot) {
		c.returnSlot(slot)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackTimeout)
	defer cancel()
	c.limiter.Abandoned(ctx, slot)
}

// expired reports whether it is too late to start a call in the slot: the calls of
// other replicas could follow too closely.
func (l *Limiter) expired(slot, now time.Time) bool { return now.Sub(slot) > l.limits.grace }

// forfeit gives a slot up. If it was the probe's, another call becomes the probe.
func (l *Limiter) forfeit(slot time.Time) {
	l.stats.forfeited.Add(1)
	if probe := l.probe.Load(); probe != nil && probe.Equal(slot) {
		l.probe.CompareAndSwap(probe, nil)
		l.probeLost.Store(true)
	}
}

// afterDeadline reports whether ctx ends before the given database time.
func (l *Limiter) afterDeadline(ctx context.Context, t time.Time) bool {
	deadline, ok := ctx.Deadline()
	return ok && t.Sub(l.clock.Database()) > time.Until(deadline)
}

// sleep waits for d, or returns at once if ctx ends before that.
func (l *Limiter) sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return waitError(ctx)
	}
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && d > time.Until(deadline) {
		return fmt.Errorf("%w: %w", ErrDeadline, context.DeadlineExceeded)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return waitError(ctx)
	}
}

// withServerError adds the server error that a wait ran into, if any.
func withServerError(err, serverErr error) error {
	if serverErr == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", err, serverErr)
}

// waitError returns why ctx ended.
func waitError(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrDeadline, context.Cause(ctx))
	}
	return fmt.Errorf("wait for the rate limiter: %w", context.Cause(ctx))
}
