package throttle

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/sony/gobreaker/v2"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/queue"
)

// BreakerState is the state of a circuit breaker.
type BreakerState string

// The states.
const (
	BreakerClosed   BreakerState = "closed"    // calls may be made
	BreakerOpen     BreakerState = "open"      // no call may be made
	BreakerHalfOpen BreakerState = "half_open" // calls may be made, the first of them alone; its outcome decides
)

// BreakerConfig configures a [Breaker]. All replicas should use the same values.
type BreakerConfig struct {
	Key      string         // identifies the API key: a hash of it, never the key itself
	Provider string         // name of the provider, for people
	Streak   int            // consecutive faults that one replica takes for too many. Defaults to 8
	Share    float64        // share of faults in a replica's calls of a minute that it takes for too many, given 20 calls. Defaults to 0.5
	Rest     time.Duration  // longest time until the first check of an open breaker. Defaults to 15 s
	MaxRest  time.Duration  // cap of that time, which doubles with each further opening or failed check. Defaults to 1 min
	Lease    time.Duration  // how long a check may take before another replica makes one. Defaults to 20 s
	Random   func() float64 // uniform in [0,1). Defaults to math/rand/v2
	Log      zerolog.Logger
}

func (c BreakerConfig) withDefaults() BreakerConfig {
	c.Streak = cmp.Or(c.Streak, 8)
	c.Share = cmp.Or(c.Share, 0.5)
	c.Rest = cmp.Or(c.Rest, 15*time.Second)
	c.MaxRest = cmp.Or(c.MaxRest, time.Minute)
	c.Lease = cmp.Or(c.Lease, 20*time.Second)
	if c.Random == nil {
		c.Random = rand.Float64
	}
	return c
}

func (c BreakerConfig) validate() error {
	var faults []error
	if !keyPattern.MatchString(c.Key) {
		faults = append(faults, errors.New("key: want a hash of the API key, 1 to 64 of a-z, 0-9, - and _"))
	}
	if c.Streak < 1 || !(c.Share > 0 && c.Share <= 1) {
		faults = append(faults, fmt.Errorf("streak %d and share %v: want at least 1, and up to 1", c.Streak, c.Share))
	}
	if c.Rest < 0 || c.MaxRest < c.Rest || c.Lease < 0 {
		faults = append(faults, fmt.Errorf("rest %s, max rest %s, lease %s: none may be negative, and the second not less than the first", c.Rest, c.MaxRest, c.Lease))
	}
	if len(faults) > 0 {
		return fmt.Errorf("circuit breaker configuration: %w", errors.Join(faults...))
	}
	return nil
}

// BreakerStatus is the state of a breaker and why it is in it. Times are the
// database's.
type BreakerStatus struct {
	State  BreakerState
	Cause  engagement.FailureCause // why it opened last; empty: it never did
	Reason string                  // the same for people
	Since  time.Time               // when it entered its state; zero: always
	Next   time.Time               // when the provider is checked next; zero unless open
	Opens  int                     // consecutive openings and failed checks; each lengthens the next rest
}

// OpenError is returned while no call may be made.
type OpenError struct {
	Provider string
	Cause    engagement.FailureCause
	Reason   string
	Next     time.Time // database time of the next check
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("calls to %s are stopped, next check at %s: %s", e.Provider, e.Next.UTC().Format(time.RFC3339), e.Reason)
}

// Breaker is the circuit breaker of one API key: it stops calls that can lead to
// nothing because the account is empty, the key is refused, or the provider keeps
// failing. All replicas share its state, which outlives them. It is safe for concurrent
// use.
//
// Each replica counts faults for itself, with gobreaker. That library has a shared
// breaker too, but it locks and rewrites the shared state twice for every call, and
// waits half a second for a lock; here a call costs no request, and only a change of
// state is shared.
type Breaker struct {
	cfg     BreakerConfig
	log     zerolog.Logger
	clock   Clock
	cell    *queue.Cell
	state   atomic.Pointer[breakerEntry]
	version queue.Version // of the state; guarded by mu
	joining atomic.Bool   // the state found while joining is no change to log

	mu      sync.Mutex
	counter *gobreaker.CircuitBreaker[struct{}] // of this replica's calls since the breaker closed
	changed chan struct{}                       // closed, and replaced, when the state changes

	stopFollowing context.CancelFunc
	follower      conc.WaitGroup
}

// NewBreaker joins the breaker of cfg.Key. It reads the breaker's state and follows it
// until Close.
func NewBreaker(ctx context.Context, q *queue.Queue, cfg BreakerConfig, clock Clock) (*Breaker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := &Breaker{cfg: cfg, log: component(cfg.Log), clock: clock, changed: make(chan struct{})}
	b.state.Store(&breakerEntry{State: BreakerClosed})
	b.resetCounts()
	var err error
	if b.cell, err = q.DurableCell(ctx, cfg.Key+".breaker", "the shared circuit breaker"); err != nil {
		return nil, err
	}
	b.joining.Store(true)
	if err := b.cell.Observe(ctx, b.observe); err != nil {
		return nil, err
	}
	b.joining.Store(false)
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.stopFollowing = cancel
	b.follower.Go(func() { b.cell.Follow(following, b.observe) })
	return b, nil
}

// Close stops following the breaker.
func (b *Breaker) Close() {
	b.stopFollowing()
	b.follower.Wait()
}

// Status returns the state as this replica knows it.
func (b *Breaker) Status() BreakerStatus { return b.state.Load().status() }

// Allow returns an [OpenError] while no call may be made.
func (b *Breaker) Allow() error {
	s := b.Status()
	if s.State != BreakerOpen {
		return nil
	}
	return &OpenError{Provider: b.cfg.Provider, Cause: s.Cause, Reason: s.Reason, Next: s.Next}
}

// Open opens the breaker because of the outcome of a call that started at the given
// database time, unless that was before the breaker last changed its state. This
// replica stops its calls even if the others cannot be told.
func (b *Breaker) Open(ctx context.Context, started time.Time, cause engagement.FailureCause, reason string) {
	open := func(e breakerEntry, now time.Time) breakerEntry {
		return e.opened(started, now, cause, oneLine(reason), b.cfg)
	}
	known := *b.state.Load()
	b.changeLocally(open)
	b.changeFrom(ctx, known, open)
}

// Failed records a call that failed, or one that was answered with what cannot be right.
// It reports whether there is reason to find out if the provider is at fault: there were
// too many such calls, or the breaker is half open. A half-open breaker is closed by any
// answer. The caller opens the breaker if the provider is at fault; until it does, the
// count starts over.
func (b *Breaker) Failed(ctx context.Context, started time.Time, answered bool) (suspected bool) {
	switch b.Status().State {
	case BreakerOpen:
		return false
	case BreakerHalfOpen:
		if answered {
			b.Succeeded(ctx, started)
		}
		return !answered
	default:
		return b.count(errors.New("a fault"))
	}
}

// Succeeded records a call that the provider answered. It closes a half-open breaker.
func (b *Breaker) Succeeded(ctx context.Context, started time.Time) {
	switch b.Status().State {
	case BreakerOpen:
	case BreakerHalfOpen:
		b.change(ctx, func(e breakerEntry, now time.Time) breakerEntry { return e.closed(started, now) })
	default:
		b.count(nil)
	}
}

const (
	faultWindow = time.Minute     // over which the share of faults is counted
	faultBucket = 5 * time.Second // resolution of that window
	minCalls    = 20              // in the window before the share counts
)

// resetCounts starts counting faults from zero.
func (b *Breaker) resetCounts() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counter = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: b.cfg.Provider, Interval: faultWindow, BucketPeriod: faultBucket,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return int(c.ConsecutiveFailures) >= b.cfg.Streak ||
				c.Requests >= minCalls && float64(c.TotalFailures) >= b.cfg.Share*float64(c.Requests)
		},
	})
}

// count counts one call, and reports whether there are too many faults. Then it starts over.
func (b *Breaker) count(fault error) (tooMany bool) {
	b.mu.Lock()
	counter := b.counter
	b.mu.Unlock()
	_, _ = counter.Execute(func() (struct{}, error) { return struct{}{}, fault })
	if counter.State() == gobreaker.StateClosed {
		return false
	}
	b.resetCounts()
	return true
}

// change changes the shared state, or this replica's alone if that fails.
func (b *Breaker) change(ctx context.Context, f func(e breakerEntry, now time.Time) breakerEntry) {
	b.changeFrom(ctx, *b.state.Load(), f)
}

// changeFrom is change; known stands in for a state that the server has lost.
func (b *Breaker) changeFrom(ctx context.Context, known breakerEntry, f func(e breakerEntry, now time.Time) breakerEntry) {
	now := b.clock.Database()
	var next breakerEntry
	version, err := b.cell.Update(ctx, func(value []byte) ([]byte, error) {
		old := known
		if value != nil {
			var err error
			if old, err = decodeBreaker(value); err != nil {
				b.log.Error().Err(err).Msg("replaced an unreadable circuit breaker state")
				old = known
			}
		}
		if next = f(old, now); next == old {
			return nil, nil
		}
		return json.Marshal(next)
	})
	if err != nil {
		b.log.Error().Err(err).Msg("sharing the circuit breaker state failed")
		b.changeLocally(f)
		return
	}
	b.apply(next, version)
}

// changeLocally changes the state for this replica only, until it sees a shared one.
func (b *Breaker) changeLocally(f func(e breakerEntry, now time.Time) breakerEntry) {
	old := *b.state.Load()
	next := f(old, b.clock.Database())
	next.Revision = old.Revision
	b.mu.Lock()
	version := b.version
	b.mu.Unlock()
	b.apply(next, version)
}

func (b *Breaker) observe(value []byte, version queue.Version) (changed bool) {
	e, err := decodeBreaker(value)
	if err != nil {
		b.log.Error().Err(err).Msg("ignored an unreadable circuit breaker state")
		return false
	}
	return b.apply(e, version)
}

// apply adopts a state, unless a newer one is known. Which is newer the server says: the
// revision in the state counts on from before the server was wiped or restored.
func (b *Breaker) apply(e breakerEntry, version queue.Version) (changed bool) {
	b.mu.Lock()
	old := b.state.Load()
	if version.Before(b.version) {
		b.mu.Unlock()
		return false
	}
	b.version = version
	if e == *old {
		b.mu.Unlock()
		return false
	}
	b.state.Store(&e)
	close(b.changed)
	b.changed = make(chan struct{})
	b.mu.Unlock()
	if e.State == old.State {
		return true
	}
	b.resetCounts()
	if !b.joining.Load() {
		b.log.Warn().Str("provider", b.cfg.Provider).Str("state", string(e.State)).Str("reason", e.Reason).
			Time("next_check", e.status().Next).Int("in_a_row", e.Opens).Msg("circuit breaker")
	}
	return true
}

// Run calls check whenever the provider of an open breaker is due to be checked. check
// returns an empty cause when calls may be tried again, and otherwise why not. Only one
// replica checks at a time. Run returns when ctx ends.
func (b *Breaker) Run(ctx context.Context, check func(context.Context) (cause engagement.FailureCause, reason string)) {
	soonest := time.Millisecond
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		var due <-chan time.Time
		timer := time.NewTimer(0)
		timer.Stop()
		if s := b.Status(); s.State == BreakerOpen {
			// The replicas should not all try at the same moment.
			wait := s.Next.Sub(b.clock.Database()) + time.Duration(b.cfg.Random()*float64(checkSpread))
			// The database's clock may have been set back.
			timer.Reset(min(max(wait, soonest), b.cfg.MaxRest+b.cfg.Lease))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
			soonest = time.Millisecond
			continue
		case <-due:
		}
		if !b.leaseCheck(ctx) {
			soonest = leaseRetry
			continue
		}
		checking, cancel := context.WithTimeout(ctx, b.cfg.Lease)
		cause, reason := check(checking)
		cancel()
		if ctx.Err() != nil {
			return
		}
		b.change(ctx, func(e breakerEntry, now time.Time) breakerEntry { return e.checked(now, cause, oneLine(reason), b.cfg) })
	}
}

// checkSpread is how far apart the replicas try to lease a check.
const checkSpread = 100 * time.Millisecond

// leaseRetry is how soon a replica asks again for a check that it could not lease, when
// it has not heard that another did.
const leaseRetry = time.Second

// leaseCheck reports whether a check is due and this replica is the one to make it.
func (b *Breaker) leaseCheck(ctx context.Context) (leased bool) {
	b.change(ctx, func(e breakerEntry, now time.Time) breakerEntry {
		next, ok := e.leased(now, b.cfg.Lease)
		leased = ok
		return next
	})
	return leased
}
