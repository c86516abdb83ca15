package throttle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/queue"
)

// Clock tells the time that all replicas share: the database's.
type Clock interface{ Database() time.Time }

// LimiterConfig configures a [Limiter]. All replicas should use the same values.
type LimiterConfig struct {
	Key            string         // identifies the API key: a hash of it, never the key itself
	Rate           float64        // calls per second over all replicas; 0: unlimited
	RefreshReserve float64        // share of the rate that batches leave to refreshes, below 1. Defaults to 0.1; -1: none
	Margin         float64        // share of the rate left unused to absorb network jitter: 0.01 to 0.5. Defaults to 0.03
	ProbeTime      time.Duration  // how long the one call after a pause may take. Defaults to 10 s
	Random         func() float64 // uniform in [0,1). Defaults to math/rand/v2
	OnGrant        func(Grant)    // called for every call that may start, by the goroutine that waited; may be nil
	Log            zerolog.Logger
}

// Grant is one call that may start.
type Grant struct {
	Class queue.Class
	Slot  time.Time // the time reserved for it; zero when the rate is unlimited
	At    time.Time // when it was granted, by the shared clock
}

func (c LimiterConfig) withDefaults() LimiterConfig {
	c.RefreshReserve = cmp.Or(c.RefreshReserve, 0.1)
	if c.RefreshReserve == -1 {
		c.RefreshReserve = 0
	}
	c.Margin = cmp.Or(c.Margin, 0.03)
	c.ProbeTime = cmp.Or(c.ProbeTime, defaultProbeTime)
	if c.Random == nil {
		c.Random = rand.Float64
	}
	return c
}

func (c LimiterConfig) validate() error {
	var faults []error
	if !keyPattern.MatchString(c.Key) {
		faults = append(faults, errors.New("key: want a hash of the API key, 1 to 64 of a-z, 0-9, - and _"))
	}
	if !(c.Rate == 0 || c.Rate >= 0.001 && c.Rate <= 100_000) {
		faults = append(faults, fmt.Errorf("rate %v: want 0 for unlimited, or 0.001 to 100,000 calls per second", c.Rate))
	}
	if !(c.RefreshReserve >= 0 && c.RefreshReserve <= 0.9) {
		faults = append(faults, fmt.Errorf("refresh reserve %v: want up to 0.9 of the rate, or -1 for none", c.RefreshReserve))
	}
	if !(c.Margin >= 0.01 && c.Margin <= 0.5) {
		faults = append(faults, fmt.Errorf("margin %v: want 0.01 to 0.5 of the rate", c.Margin))
	}
	if len(faults) > 0 {
		return fmt.Errorf("rate limiter configuration: %w", errors.Join(faults...))
	}
	return nil
}

// Limiter limits the rate of calls under one API key over all replicas, and pauses
// them all after the provider's 429. It is safe for concurrent use.
//
// In no window of a second (or of 1/Rate seconds, if that is longer) do all replicas
// together start more than Rate calls. No call starts without a reservation, so none
// starts while NATS is unreachable.
type Limiter struct {
	log    zerolog.Logger
	cfg    LimiterConfig
	clock  Clock
	limits limits

	shared  sharedState // see reserve.go
	stats   limiterCounters
	classes map[queue.Class]*ClassLimiter

	pauses *queue.Cell
	pause  atomic.Pointer[pause]

	probe     atomic.Pointer[time.Time] // slot of the probe that this replica makes; nil: none
	probeLost atomic.Bool               // that slot was not used

	stopFollowing context.CancelFunc
	follower      conc.WaitGroup
}

// NewLimiter joins the rate limiter of cfg.Key. It reads the pause in force, if any,
// and follows it until Close.
func NewLimiter(ctx context.Context, q *queue.Queue, cfg LimiterConfig, clock Clock) (*Limiter, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	l := &Limiter{log: component(cfg.Log), cfg: cfg, clock: clock}
	if cfg.Rate > 0 {
		l.limits = newLimits(cfg.Rate, cfg.RefreshReserve, cfg.Margin)
		l.limits.probe = cfg.ProbeTime
	}
	l.classes = map[queue.Class]*ClassLimiter{
		queue.ClassBatch:   newClassLimiter(l, queue.ClassBatch),
		queue.ClassRefresh: newClassLimiter(l, queue.ClassRefresh),
	}
	l.pause.Store(&pause{})

	var err error
	if l.shared.cell, err = q.VolatileCell(ctx, cfg.Key, "the shared rate limiter"); err != nil {
		return nil, err
	}
	if l.pauses, err = q.DurableCell(ctx, cfg.Key, "the shared pause"); err != nil {
		return nil, err
	}
	if err := l.readPause(ctx); err != nil {
		return nil, err
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l.stopFollowing = cancel
	l.follower.Go(func() { l.pauses.Follow(following, l.observePause) })
	if cfg.Rate > 0 {
		l.follower.Go(func() { l.shared.cell.Follow(following, l.observeState) })
	}
	return l, nil
}

// Close stops following the pause and waits until that has ended. All calls of Wait
// must have returned before.
func (l *Limiter) Close() {
	l.stopFollowing()
	l.follower.Wait()
}

// Class returns the limiter as calls of the given class see it.
func (l *Limiter) Class(class queue.Class) *ClassLimiter { return l.classes[class] }

type limiterCounters struct {
	reservations, conflicts, forfeited, probes atomic.Int64
}

// LimiterStats counts what this replica's limiter has done since it joined.
type LimiterStats struct {
	Reservations int64 // runs of slots reserved
	Conflicts    int64 // reservations that another replica preceded
	Forfeited    int64 // reserved slots in which no call started in time
	Probes       int64 // probes reserved after a pause
}

// Stats returns the counts.
func (l *Limiter) Stats() LimiterStats {
	return LimiterStats{
		Reservations: l.stats.reservations.Load(),
		Conflicts:    l.stats.conflicts.Load(),
		Forfeited:    l.stats.forfeited.Load(),
		Probes:       l.stats.probes.Load(),
	}
}
