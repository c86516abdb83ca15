package throttle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorgone/queue"
)

// sharedState caches the shared state as this replica last saw it.
type sharedState struct {
	cell *queue.Cell

	mu       sync.Mutex
	known    bool // the fields below are up to date as far as this replica knows
	state    limiterState
	revision uint64 // 0: there was no value

	last lastWrite // of this replica
}

// probePollInterval is how often to check whether the probe was answered.
const probePollInterval = 100 * time.Millisecond

// reserve reserves up to want slots. When the class may not reserve yet it returns no slots
// and how long to wait, without asking the server. An error that wraps [queue.ErrConflict]
// says that another replica was faster, or that the server had not applied its last write yet.
func (c *ClassLimiter) reserve(ctx context.Context, want int) (slots []time.Time, wait time.Duration, err error) {
	l, class := c.limiter, c.class
	state, revision, err := l.load(ctx)
	if err != nil {
		return nil, 0, err
	}
	pause := l.currentPause()
	state = state.paused(pause.until, pause.hit())
	if l.probeLost.Swap(false) {
		state.ProbeUntil = time.Time{}
	}
	now := l.clock.Database()
	limits := l.limits.scaled(l.limits.factorAt(state, now))
	state.Writes = l.shared.addLast(state.Writes)
	limits = limits.writtenIn(state.Writes.bound())
	c.rivals.observed(revision)
	if wait := limits.earliest(state, class).Sub(now); wait > 0 {
		wait += c.afterMoment()
		if !state.ProbeUntil.IsZero() {
			// Calls resume as soon as the probe is answered.
			wait = min(wait, probePollInterval)
		}
		return nil, wait, nil
	}
	next, first, n := limits.reserve(state, class, now, want)
	written, err := l.write(ctx, next, revision)
	if err != nil {
		return nil, 0, err
	}
	l.shared.store(next, written)
	l.stats.reservations.Add(1)
	if !next.ProbeUntil.IsZero() {
		l.probe.Store(&first)
		l.stats.probes.Add(1)
		l.log.Info().Time("at", first).Msg("probing with one call after the pause")
	}
	for k := range n {
		slots = append(slots, first.Add(time.Duration(k)*limits.interval))
	}
	return slots, 0, nil
}

// load returns the cached state. It reads the shared state when nothing is cached, and
// writes an initial one when there is none that can be used.
func (l *Limiter) load(ctx context.Context) (state limiterState, revision uint64, err error) {
	s := &l.shared
	s.mu.Lock()
	known, state, revision := s.known, s.state, s.revision
	s.mu.Unlock()
	if known && l.limits.plausible(state, l.clock.Database()) {
		return state, revision, nil
	}
	state, revision, usable, err := l.read(ctx)
	if err != nil {
		return limiterState{}, 0, err
	}
	if !usable {
		state = l.initial(l.clock.Database())
		if revision, err = l.write(ctx, state, revision); err != nil {
			return limiterState{}, 0, err
		}
	}
	s.store(state, revision)
	return state, revision, nil
}

// initial returns the state to start from. A pause that ended a while ago leaves no
// trace in it.
func (l *Limiter) initial(now time.Time) limiterState {
	state := l.limits.initial(now)
	if pause := l.currentPause(); now.Sub(pause.until) > forgetPause {
		state.Episode, state.Resumed = pause.hit(), pause.until
	}
	return state
}

// store caches what was read or written.
func (s *sharedState) store(state limiterState, revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// This replica's other class may have cached a newer revision.
	if !s.known || s.revision < revision {
		s.known, s.state, s.revision = true, state, revision
	}
}

// observeState caches what any replica has written, so that it need not be read. A lower
// revision that was written later than the one known is of a server that has lost its state.
func (l *Limiter) observeState(value []byte, v queue.Version) (changed bool) {
	state, err := decodeLimiterState(value)
	if err != nil {
		return false
	}
	s := &l.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	switch revision := v.Revision(); {
	case revision > s.revision:
		s.known, s.state, s.revision = true, state.dated(), revision
	case state.At.After(s.state.At):
		s.known = false
	}
	return false
}

// wrote notes how long a write took.
func (s *sharedState) wrote(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = lastWrite{took, time.Now()}
}

// addLast adds this replica's last write to the shared estimate.
func (s *sharedState) addLast(e latency) latency {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last.addTo(e)
}

// toWrite returns how long a write takes, as the replicas know it.
func (s *sharedState) toWrite() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Writes.bound()
}

// forget has the state read again, unless a newer revision is known.
func (s *sharedState) forget(revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revision <= revision {
		s.known = false
	}
}

// read returns the shared state and whether it can be used; revision 0 means that there
// is none.
func (l *Limiter) read(ctx context.Context) (state limiterState, revision uint64, usable bool, err error) {
	value, revision, err := l.shared.cell.Load(ctx)
	if err != nil || value == nil {
		return limiterState{}, 0, false, err
	}
	state, err = decodeLimiterState(value)
	now := l.clock.Database()
	if err == nil && !l.limits.plausible(state, now) {
		err = fmt.Errorf("slots are reserved until %s, and now is %s: the clocks of two replicas differ", state.All, now)
	}
	if err != nil {
		l.log.Error().Err(err).Msg("restarting the shared rate limiter: its state cannot be used")
		return limiterState{}, revision, false, nil
	}
	return state.dated(), revision, true, nil
}

// write stores the state if the cell still has the given revision, and returns the new
// one. A reservation whose answer is lost may stand; its slots are then wasted, which
// is the safe side.
func (l *Limiter) write(ctx context.Context, next limiterState, revision uint64) (written uint64, err error) {
	began := time.Now()
	written, err = l.shared.cell.CompareAndSwap(ctx, next.encode(), revision)
	if err == nil {
		l.shared.wrote(time.Since(began))
		return written, nil
	}
	l.shared.forget(revision)
	if errors.Is(err, queue.ErrConflict) {
		l.stats.conflicts.Add(1)
	}
	return 0, err
}
