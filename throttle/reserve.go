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
	foreign  bool   // another replica wrote it

	reads, writes latency // how long those take
}

// probePollInterval is how often to check whether the probe was answered.
const probePollInterval = 100 * time.Millisecond

// reserve reserves up to want slots for the class. When the class may not reserve yet
// it returns no slots and how long to wait, without asking the server. An error that
// wraps [queue.ErrConflict] is worth an immediate retry.
func (l *Limiter) reserve(ctx context.Context, class queue.Class, want int) (slots []time.Time, wait time.Duration, err error) {
	state, revision, foreign, err := l.load(ctx)
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
	toRead, toWrite := l.shared.takes()
	limits.ahead, limits.written = min(toWrite, maxAhead), toWrite
	if wait := limits.earliest(state, class).Sub(now); wait > 0 {
		if foreign && wait > toRead {
			// Another replica has probably reserved by then: read the state again first.
			// The jitter keeps the replicas from asking all at once; it is less than the
			// credit, so it costs no slot.
			l.shared.forget()
			wait += time.Duration(l.cfg.Random()*float64(limits.credit)/2) - toRead
		}
		if !state.ProbeUntil.IsZero() && wait > probePollInterval {
			// Calls resume as soon as the probe is answered.
			l.shared.forget()
			wait = probePollInterval
		}
		return nil, wait, nil
	}
	next, first, n := limits.reserve(state, class, now, want)
	written, err := l.write(ctx, next, revision)
	if err != nil {
		return nil, 0, err
	}
	l.shared.store(next, written, false)
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
func (l *Limiter) load(ctx context.Context) (state limiterState, revision uint64, foreign bool, err error) {
	s := &l.shared
	s.mu.Lock()
	known, state, revision, foreign := s.known, s.state, s.revision, s.foreign
	s.mu.Unlock()
	if known && l.limits.plausible(state, l.clock.Database()) {
		return state, revision, foreign, nil
	}
	state, revision, usable, err := l.read(ctx)
	if err != nil {
		return limiterState{}, 0, false, err
	}
	if !usable {
		state = l.initial(l.clock.Database())
		if revision, err = l.write(ctx, state, revision); err != nil {
			return limiterState{}, 0, false, err
		}
	}
	s.store(state, revision, true)
	return state, revision, true, nil
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
func (s *sharedState) store(state limiterState, revision uint64, foreign bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// This replica's other class may have cached a newer revision.
	if !s.known || s.revision < revision {
		s.known, s.state, s.revision, s.foreign = true, state, revision, foreign
	}
}

func (s *sharedState) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = false
}

// read returns the shared state and whether it can be used; revision 0 means that there
// is none.
func (l *Limiter) read(ctx context.Context) (state limiterState, revision uint64, usable bool, err error) {
	began := time.Now()
	value, revision, err := l.shared.cell.Load(ctx)
	if err != nil || value == nil {
		return limiterState{}, 0, false, err
	}
	l.shared.took(&l.shared.reads, time.Since(began))
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
		l.shared.took(&l.shared.writes, time.Since(began))
		return written, nil
	}
	l.shared.forget()
	if errors.Is(err, queue.ErrConflict) {
		l.stats.conflicts.Add(1)
	}
	return 0, err
}
