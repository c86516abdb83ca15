package queue

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
)

// BreakerState is the state of a circuit breaker.
type BreakerState string

// The states.
const (
	BreakerClosed   BreakerState = "closed"    // calls may be made
	BreakerOpen     BreakerState = "open"      // none may
	BreakerHalfOpen BreakerState = "half_open" // they may, the first of them alone; it decides
)

// BreakerConfig sets up a breaker. All replicas should have the same.
type BreakerConfig struct {
	Key      string         // names the API key: a hash, never the key itself
	Provider string         // its name, for people
	Streak   int            // faults in a row, of one replica, that open it. Defaults to 8
	Share    float64        // of a replica's calls of a minute that open it when they are faults, if there were 20 calls. Defaults to 0.5
	Rest     time.Duration  // how long it stays open before the first check, at most. Defaults to 15 s
	MostRest time.Duration  // and before the later ones, each of which waits up to twice as long. Defaults to 1 min
	Lease    time.Duration  // how long a check may take before another replica makes one. Defaults to 20 s
	Random   func() float64 // uniform in [0,1). Defaults to math/rand/v2
}

func (c BreakerConfig) withDefaults() BreakerConfig {
	c.Streak = cmp.Or(c.Streak, 8)
	c.Share = cmp.Or(c.Share, 0.5)
	c.Rest = cmp.Or(c.Rest, 15*time.Second)
	c.MostRest = cmp.Or(c.MostRest, time.Minute)
	c.Lease = cmp.Or(c.Lease, 20*time.Second)
	if c.Random == nil {
		c.Random = rand.Float64
	}
	return c
}

func (c BreakerConfig) validate() error {
	var faults []error
	if !kindPattern.MatchString(c.Key) {
		faults = append(faults, errors.New("key: want a hash of the API key, 1 to 64 of a-z, 0-9, - and _"))
	}
	if c.Streak < 1 || !(c.Share > 0 && c.Share <= 1) {
		faults = append(faults, fmt.Errorf("streak %d and share %v: want at least 1, and up to 1", c.Streak, c.Share))
	}
	if c.Rest < 0 || c.MostRest < c.Rest || c.Lease < 0 {
		faults = append(faults, fmt.Errorf("rest %s, most rest %s, lease %s: want none negative, and the second no less than the first", c.Rest, c.MostRest, c.Lease))
	}
	if len(faults) > 0 {
		return fmt.Errorf("breaker configuration: %w", errors.Join(faults...))
	}
	return nil
}

// BreakerStatus is where a breaker stands. Times are the database's.
type BreakerStatus struct {
	State  BreakerState
	Cause  Cause     // why it opened last; empty: it never did
	Reason string    // the same for people
	Since  time.Time // when it came into its state; zero: always
	Next   time.Time // when the provider is checked next; zero unless open
	Opens  int       // how often in a row it opened, or a check failed; each makes the next rest longer
}

// OpenError is why no call may be made.
type OpenError struct {
	Provider string
	Cause    Cause
	Reason   string
	Next     time.Time // database time of the next check
}

func (e *OpenError) Error() string {
	return fmt.Sprintf("calls to %s are stopped, next check at %s: %s", e.Provider, e.Next.UTC().Format(time.RFC3339), e.Reason)
}

// Breaker stops the calls under one API key while they can lead to nothing: the
// account is empty, the key is refused, or the provider fails again and again. Its
// state is shared by all replicas and outlives them. It is safe for concurrent use.
//
// Whether faults are too many each replica counts for itself, with gobreaker. That
// library has a shared breaker too, but it locks and rewrites the shared state twice
// for every call, and waits half a second for a lock; here a call costs no question,
// and only a change of state is shared.
type Breaker struct {
	cfg   BreakerConfig
	log   zerolog.Logger
	clock Clock
	entry *sharedEntry
	state atomic.Pointer[breakerEntry]
	quiet atomic.Bool // while it joins: how it stands then is no news

	mu      sync.Mutex
	counter *gobreaker.CircuitBreaker[struct{}] // of this replica's calls since the breaker closed
	changed chan struct{}                       // closed, and replaced, when the state changes

	cancel  context.CancelFunc
	watcher conc.WaitGroup
}

// NewBreaker joins the breaker of the key. It reads its state, and follows it until
// Close.
func NewBreaker(ctx context.Context, q *Queue, cfg BreakerConfig, clock Clock) (*Breaker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	b := &Breaker{cfg: cfg, log: q.log, clock: clock, changed: make(chan struct{})}
	b.state.Store(&breakerEntry{State: BreakerClosed})
	b.recount()
	var err error
	if b.entry, err = q.sharedEntry(ctx, cfg.Key+".breaker", "the shared breaker", b.tell); err != nil {
		return nil, fmt.Errorf("join the shared breaker: %w", err)
	}
	b.quiet.Store(true)
	if _, err := b.entry.read(ctx); err != nil {
		return nil, fmt.Errorf("join the shared breaker: %w", err)
	}
	b.quiet.Store(false)
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b.cancel = cancel
	b.watcher.Go(func() { b.entry.follow(watching) })
	return b, nil
}

// Close stops following the breaker.
func (b *Breaker) Close() {
	b.cancel()
	b.watcher.Wait()
}

// Status is where the breaker stands, as this replica knows.
func (b *Breaker) Status() BreakerStatus { return b.state.Load().status() }

// Allow returns an [OpenError] when no call may be made.
func (b *Breaker) Allow() error {
	s := b.Status()
	if s.State != BreakerOpen {
		return nil
	}
	return &OpenError{Provider: b.cfg.Provider, Cause: s.Cause, Reason: s.Reason, Next: s.Next}
}

// Open opens the breaker because of what came of a call that began at the given
// database time, unless that was before it last closed. This replica opens its own
// even when the others cannot be told.
func (b *Breaker) Open(ctx context.Context, began time.Time, cause Cause, reason string) {
	open := func(e breakerEntry, now time.Time) breakerEntry {
		return e.opened(began, now, cause, oneLine(reason), b.cfg)
	}
	known := *b.state.Load()
	b.alone(open)
	b.changeFrom(ctx, known, open)
}

// Failed counts a fault of the provider. Too many of them open the breaker, and a
// single one does when it is half open.
func (b *Breaker) Failed(ctx context.Context, began time.Time, reason string) {
	switch b.Status().State {
	case BreakerOpen:
	case BreakerHalfOpen:
		b.Open(ctx, began, CauseOutage, reason)
	default:
		if b.count(errors.New("a fault")) {
			b.Open(ctx, began, CauseOutage, reason)
		}
	}
}

// Succeeded counts a call that the provider answered. It closes a breaker that is
// half open.
func (b *Breaker) Succeeded(ctx context.Context, began time.Time) {
	switch b.Status().State {
	case BreakerOpen:
	case BreakerHalfOpen:
		b.change(ctx, func(e breakerEntry, now time.Time) breakerEntry { return e.closed(began, now) })
	default:
		b.count(nil)
	}
}

// faultWindow is the time over which the share of faults is counted, bucket by
// bucket, and leastCalls how many calls make a share.
const (
	faultWindow = time.Minute
	faultBucket = 5 * time.Second
	leastCalls  = 20
)

// recount begins to count anew.
func (b *Breaker) recount() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counter = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: b.cfg.Provider, Interval: faultWindow, BucketPeriod: faultBucket,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			return int(c.ConsecutiveFailures) >= b.cfg.Streak ||
				c.Requests >= leastCalls && float64(c.TotalFailures) >= b.cfg.Share*float64(c.Requests)
		},
	})
}

// count counts one call, and reports whether faults are too many.
func (b *Breaker) count(fault error) (tooMany bool) {
	b.mu.Lock()
	counter := b.counter
	b.mu.Unlock()
	_, _ = counter.Execute(func() (struct{}, error) { return struct{}{}, fault })
	return counter.State() != gobreaker.StateClosed
}

// change changes the shared state, and this replica's in any case.
func (b *Breaker) change(ctx context.Context, f func(e breakerEntry, now time.Time) breakerEntry) {
	b.changeFrom(ctx, *b.state.Load(), f)
}

// changeFrom is change; known stands in when the server has forgotten the state.
func (b *Breaker) changeFrom(ctx context.Context, known breakerEntry, f func(e breakerEntry, now time.Time) breakerEntry) {
	now := b.clock.Database()
	var next breakerEntry
	err := b.entry.change(ctx, func(value []byte) ([]byte, error) {
		old := known
		if value != nil {
			var err error
			if old, err = decodeBreaker(value); err != nil {
				b.log.Error().Err(err).Msg("replaced an unreadable breaker")
				old = known
			}
		}
		if next = f(old, now); next == old {
			return nil, nil
		}
		return json.Marshal(next)
	})
	if err != nil {
		b.log.Error().Err(err).Msg("share the breaker")
		b.alone(f)
		return
	}
	b.learn(next)
}

// alone changes the state as this replica sees it, until it hears of the shared one.
func (b *Breaker) alone(f func(e breakerEntry, now time.Time) breakerEntry) {
	old := *b.state.Load()
	next := f(old, b.clock.Database())
	next.Revision = old.Revision
	b.learn(next)
}

func (b *Breaker) tell(value []byte) (changed bool) {
	e, err := decodeBreaker(value)
	if err != nil {
		b.log.Error().Err(err).Msg("ignored an unreadable breaker")
		return false
	}
	return b.learn(e)
}

// learn takes over a state, unless a later one is known.
func (b *Breaker) learn(e breakerEntry) (changed bool) {
	b.mu.Lock()
	old := b.state.Load()
	if e == *old || e.Revision < old.Revision {
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
	b.recount()
	if !b.quiet.Load() {
		b.log.Warn().Str("provider", b.cfg.Provider).Str("state", string(e.State)).Str("reason", e.Reason).
			Time("next_check", e.status().Next).Int("in_a_row", e.Opens).Msg("circuit breaker")
	}
	return true
}

// Run has the provider checked, when it is time, by check, which returns "" when
// calls may be tried again, and else why not. Of all replicas one checks. It returns
// when ctx ends.
func (b *Breaker) Run(ctx context.Context, check func(context.Context) (cause Cause, reason string)) {
	for {
		b.mu.Lock()
		changed := b.changed
		b.mu.Unlock()
		var due <-chan time.Time
		timer := time.NewTimer(0)
		timer.Stop()
		if s := b.Status(); s.State == BreakerOpen {
			// Not all in the same moment.
			wait := s.Next.Sub(b.clock.Database()) + time.Duration(b.cfg.Random()*float64(checkSpread))
			// The database's clock may have stepped back.
			timer.Reset(min(max(wait, time.Millisecond), b.cfg.MostRest+b.cfg.Lease))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changed:
			timer.Stop()
			continue
		case <-due:
		}
		if !b.lease(ctx) {
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

// checkSpread is how far apart replicas are that try to become the one that checks.
const checkSpread = 100 * time.Millisecond

// lease makes this replica the one that checks, if it is time and no other does.
func (b *Breaker) lease(ctx context.Context) (mine bool) {
	b.change(ctx, func(e breakerEntry, now time.Time) breakerEntry {
		next, ok := e.leased(now, b.cfg.Lease)
		mine = ok
		return next
	})
	return mine
}
