package queue

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
)

// Clock tells the time that all replicas share: that of the database.
type Clock interface{ Database() time.Time }

// PaceConfig says how fast calls may go. All replicas should have the same.
type PaceConfig struct {
	Key            string         // names the API key whose limit it is: a hash, never the key itself
	Rate           float64        // calls a second over all replicas; 0: unlimited
	RefreshReserve float64        // share of the rate that batches leave to refreshes, below 1. Defaults to 0.1; -1: none
	Margin         float64        // share of the rate left unused, for jitter on the way: 0.01 to 0.5. Defaults to 0.03
	Random         func() float64 // uniform in [0,1). Defaults to math/rand/v2
	ProbeTime      time.Duration  // how long the one call after a pause may take to be answered. Defaults to 10 s
	OnGrant        func(Grant)    // told of every call that is let go, by the goroutine that waited; may be nil
}

// Grant is one call that was let go.
type Grant struct {
	Lane Lane
	Slot time.Time // the time reserved for it; zero when the rate is unlimited
	At   time.Time // when it was let go, by the shared clock
}

func (c PaceConfig) withDefaults() PaceConfig {
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

func (c PaceConfig) validate() error {
	var faults []error
	if !kindPattern.MatchString(c.Key) {
		faults = append(faults, errors.New("key: want a hash of the API key, 1 to 64 of a-z, 0-9, - and _"))
	}
	if !(c.Rate == 0 || c.Rate >= 0.001 && c.Rate <= 100_000) {
		faults = append(faults, fmt.Errorf("rate %v: want 0 for unlimited, or 0.001 to 100,000 calls a second", c.Rate))
	}
	if !(c.RefreshReserve >= 0 && c.RefreshReserve <= 0.9) {
		faults = append(faults, fmt.Errorf("refresh reserve %v: want up to 0.9 of the rate, or -1 for none", c.RefreshReserve))
	}
	if !(c.Margin >= 0.01 && c.Margin <= 0.5) {
		faults = append(faults, fmt.Errorf("margin %v: want 0.01 to 0.5 of the rate", c.Margin))
	}
	if len(faults) > 0 {
		return fmt.Errorf("pace configuration: %w", errors.Join(faults...))
	}
	return nil
}

// Pace is the pace of calls under one API key, shared by all replicas, and the
// pause that stops them all. It is safe for concurrent use.
//
// The rate holds for all replicas together: in no window of a second (or of 1/Rate
// seconds, if that is longer) do more than Rate calls start. No call starts
// without a reservation, so none starts while NATS is away.
type Pace struct {
	q      *Queue
	log    zerolog.Logger
	cfg    PaceConfig
	clock  Clock
	limits paceLimits

	shared sharedState // see reserve.go
	stats  paceCounters
	lanes  map[Lane]*PaceLane

	pauses *sharedEntry
	pause  atomic.Pointer[pause]

	probe     atomic.Pointer[time.Time] // slot of the call that this replica makes first after a pause; nil: none
	probeLost atomic.Bool               // that slot was not used

	cancel  context.CancelFunc
	watcher conc.WaitGroup
}

// NewPace joins the pace of the key. It reads the pause in force, if there is one,
// and follows it until Close.
func NewPace(ctx context.Context, q *Queue, cfg PaceConfig, clock Clock) (*Pace, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	p := &Pace{q: q, log: q.log, cfg: cfg, clock: clock}
	if cfg.Rate > 0 {
		p.limits = newPaceLimits(cfg.Rate, cfg.RefreshReserve, cfg.Margin)
		p.limits.probe = cfg.ProbeTime
	}
	p.lanes = map[Lane]*PaceLane{LaneBatch: newPaceLane(p, LaneBatch), LaneRefresh: newPaceLane(p, LaneRefresh)}
	p.pause.Store(&pause{})

	var err error
	if p.shared.bucket, err = q.js.KeyValue(ctx, q.names.pace); err != nil {
		return nil, fmt.Errorf("join the shared pace: %w", err)
	}
	if p.pauses, err = q.sharedEntry(ctx, cfg.Key, "the shared pause", p.tellPause); err != nil {
		return nil, fmt.Errorf("join the shared pace: %w", err)
	}
	if err := p.readPause(ctx); err != nil {
		return nil, fmt.Errorf("join the shared pace: %w", err)
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p.cancel = cancel
	p.watcher.Go(func() { p.pauses.follow(watching) })
	return p, nil
}

// Close stops following the pause, and waits until that has ended. Calls of Wait
// must have ended before.
func (p *Pace) Close() {
	p.cancel()
	p.watcher.Wait()
}

// Lane returns the pace as the given lane sees it.
func (p *Pace) Lane(l Lane) *PaceLane { return p.lanes[l] }

// paceCounters count what the pace did.
type paceCounters struct {
	reservations, conflicts, forfeited, probes atomic.Int64
}

// PaceStats counts what a replica's pace did since it joined.
type PaceStats struct {
	Reservations int64 // runs of slots reserved
	Conflicts    int64 // reservations that another replica got in before
	Forfeited    int64 // slots that were reserved and not started in time
	Probes       int64 // single calls reserved after a pause
}

// Stats returns the counts.
func (p *Pace) Stats() PaceStats {
	return PaceStats{
		Reservations: p.stats.reservations.Load(),
		Conflicts:    p.stats.conflicts.Load(),
		Forfeited:    p.stats.forfeited.Load(),
		Probes:       p.stats.probes.Load(),
	}
}
