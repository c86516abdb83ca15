package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrPaceDeadline is returned by [PaceLane.Wait] when the context's deadline comes
// before the call may start; as soon as that is known, and then the error also
// matches [context.DeadlineExceeded].
var ErrPaceDeadline = errors.New("the shared pace allows no call before the deadline")

// PausedError is returned by [PaceLane.Wait] when calls are paused beyond the
// context's deadline. It matches [context.DeadlineExceeded] too.
type PausedError struct {
	Until  time.Time // database time
	Reason string
}

func (e *PausedError) Error() string {
	return fmt.Sprintf("calls are paused until %s: %s", e.Until.UTC().Format(time.RFC3339), e.Reason)
}

// Unwrap lets the error match [context.DeadlineExceeded].
func (e *PausedError) Unwrap() error { return context.DeadlineExceeded }

// After an error of the server a reservation is tried again after this long, and
// twice as long after each further one.
const (
	minReservePause = 20 * time.Millisecond
	maxReservePause = time.Second
)

// conflictPause is the longest wait before another try when somebody else was
// faster. It is random, so that they do not meet again.
const conflictPause = 2 * time.Millisecond

// PaceLane is the pace of one lane.
type PaceLane struct {
	p    *Pace
	lane Lane

	waiting atomic.Int64  // callers that have no slot yet
	turn    chan struct{} // held by the one caller that reserves

	mu   sync.Mutex
	hand []time.Time // slots that are reserved and belong to no caller, in order
}

func newPaceLane(p *Pace, lane Lane) *PaceLane {
	return &PaceLane{p: p, lane: lane, turn: make(chan struct{}, 1)}
}

// Wait blocks until a call may start, and then returns nil: start it at once. It
// costs one question to NATS per run of calls (50 ms of the rate, but no more
// calls than wait in this process), none when the rate is unlimited.
//
// When the deadline of ctx comes before that, Wait returns as soon as it knows:
// [ErrPaceDeadline], or a [PausedError]. When ctx is cancelled it returns the cause.
// While NATS is away it blocks.
func (l *PaceLane) Wait(ctx context.Context) error {
	for {
		if err := l.p.awaitResume(ctx); err != nil {
			return err
		}
		if l.p.cfg.Rate == 0 {
			l.granted(time.Time{}, l.p.clock.Database())
			return nil
		}
		slot, err := l.take(ctx)
		if err != nil {
			return err
		}
		now := l.p.clock.Database()
		// The shared clock may stand still for a moment, to let the database catch up.
		for ; now.Before(slot) && !ahead(slot, now); now = l.p.clock.Database() {
			if err := l.p.sleep(ctx, slot.Sub(now)); err != nil {
				l.giveBack(slot)
				return err
			}
		}
		if l.p.late(slot, now) || ahead(slot, now) {
			l.p.forfeit(slot)
			continue
		}
		// A pause may have been written since the slot was reserved.
		if _, _, paused := l.p.Paused(); paused {
			l.p.forfeit(slot)
			continue
		}
		l.granted(slot, now)
		return nil
	}
}

func (l *PaceLane) granted(slot, now time.Time) {
	if l.p.cfg.OnGrant != nil {
		l.p.cfg.OnGrant(Grant{Lane: l.lane, Slot: slot, At: now})
	}
}

// take returns a slot in time for ctx: one in hand, or the first of a new run.
func (l *PaceLane) take(ctx context.Context) (time.Time, error) {
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return time.Time{}, ended(ctx)
	}
	var trouble error // of the server; nil: none
	for failures := 0; ; {
		if slot, ok := l.pop(); ok {
			if l.p.tooLate(ctx, slot) {
				l.giveBack(slot)
				return time.Time{}, fmt.Errorf("%w: %w", ErrPaceDeadline, context.DeadlineExceeded)
			}
			return slot, nil
		}
		slots, wait, err := l.p.reserve(ctx, l.lane, int(l.waiting.Load()))
		switch {
		case err == nil:
			failures, trouble = 0, nil
			l.put(slots)
		case ctx.Err() != nil:
			return time.Time{}, because(ended(ctx), trouble)
		case errors.Is(err, errConflict):
			wait = time.Duration(l.p.cfg.Random() * float64(conflictPause))
		default:
			if failures == 0 {
				l.p.log.Warn().Err(err).Str("lane", string(l.lane)).Msg("no calls: the shared pace cannot be reached")
			}
			l.p.q.repair(ctx, err)
			wait = min(minReservePause<<min(failures, 10), maxReservePause)
			wait += time.Duration(l.p.cfg.Random() * float64(wait))
			failures, trouble = failures+1, err
		}
		if err := l.p.sleep(ctx, wait); err != nil {
			return time.Time{}, because(err, trouble)
		}
	}
}

// pop takes the first slot in hand that can still be used.
func (l *PaceLane) pop() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.p.clock.Database()
	for len(l.hand) > 0 {
		slot := l.hand[0]
		l.hand = l.hand[1:]
		if !l.p.late(slot, now) && !ahead(slot, now) {
			return slot, true
		}
		l.p.forfeit(slot)
	}
	return time.Time{}, false
}

func (l *PaceLane) put(slots []time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hand = append(l.hand, slots...)
}

// giveBack returns a slot to the hand, for another caller.
func (l *PaceLane) giveBack(slot time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := 0
	for i < len(l.hand) && l.hand[i].Before(slot) {
		i++
	}
	l.hand = append(l.hand[:i], append([]time.Time{slot}, l.hand[i:]...)...)
}

// late reports whether it is too late to start a call in the slot: calls of other
// replicas may follow too closely.
func (p *Pace) late(slot, now time.Time) bool { return now.Sub(slot) > p.limits.grace }

// forfeit gives a slot up. If it was the one that goes first after a pause, another
// has to.
func (p *Pace) forfeit(slot time.Time) {
	p.stats.forfeited.Add(1)
	if probe := p.probe.Load(); probe != nil && probe.Equal(slot) {
		p.probe.CompareAndSwap(probe, nil)
		p.probeLost.Store(true)
	}
}

// tooLate reports whether ctx ends before the given database time.
func (p *Pace) tooLate(ctx context.Context, t time.Time) bool {
	deadline, ok := ctx.Deadline()
	return ok && t.Sub(p.clock.Database()) > time.Until(deadline)
}

// sleep waits, or says at once that ctx will end before.
func (p *Pace) sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	if d <= 0 {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok && d > time.Until(deadline) {
		return fmt.Errorf("%w: %w", ErrPaceDeadline, context.DeadlineExceeded)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ended(ctx)
	}
}

// because adds to the end of a wait what it waited for, if the server was in trouble.
func because(err, trouble error) error {
	if trouble == nil {
		return err
	}
	return fmt.Errorf("%w (%w)", err, trouble)
}

// ended says why ctx ended.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", ErrPaceDeadline, context.Cause(ctx))
	}
	return fmt.Errorf("wait for the shared pace: %w", context.Cause(ctx))
}
