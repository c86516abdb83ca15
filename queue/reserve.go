package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// reserveTimeout bounds one question to the bucket. A reservation whose answer is
// lost may stand: its slots are lost, which is the safe side.
const reserveTimeout = 2 * time.Second

// sharedState is the entry that replicas share, as this one last saw it.
type sharedState struct {
	bucket jetstream.KeyValue

	mu       sync.Mutex
	known    bool // the rest is as last seen
	state    paceState
	revision uint64 // 0: there was no entry
	foreign  bool   // somebody else wrote it
}

// probePoll is how often it is looked whether the one call after a pause was
// answered.
const probePoll = 100 * time.Millisecond

// errConflict means that another replica reserved in between.
var errConflict = errors.New("the shared pace was changed in between")

// reserve takes slots for the lane, at most want. When the lane may not reserve
// yet it returns no slots and how long to wait; that takes no question to the
// server. The error is errConflict when it is worth trying again at once.
func (p *Pace) reserve(ctx context.Context, lane Lane, want int) (slots []time.Time, wait time.Duration, err error) {
	state, revision, foreign, err := p.look(ctx)
	if err != nil {
		return nil, 0, err
	}
	pause := p.current()
	state = state.held(pause.until, pause.episode)
	if p.probeLost.Swap(false) {
		state.Probe = time.Time{}
	}
	now := p.clock.Database()
	limits := p.limits.at(p.limits.inForce(state, now))
	if wait := limits.earliest(state, lane).Sub(now); wait > 0 {
		if foreign {
			// Somebody else is likely to have reserved by then: read again before
			// trying. And the replicas should not all ask in the same moment; the
			// jitter is less than the credit, so no slot is lost by it.
			p.shared.forget()
			wait += time.Duration(p.cfg.Random() * float64(limits.credit) / 2)
		}
		if !state.Probe.IsZero() && wait > probePoll {
			// The pace goes on as soon as the probe is answered.
			p.shared.forget()
			wait = probePoll
		}
		return nil, wait, nil
	}
	next, first, n := limits.reserve(state, lane, now, want)
	written, err := p.write(ctx, next, revision)
	if err != nil {
		return nil, 0, err
	}
	p.shared.learn(next, written, false)
	p.stats.reservations.Add(1)
	if !next.Probe.IsZero() {
		p.probe.Store(&first)
		p.stats.probes.Add(1)
		p.log.Info().Time("at", first).Msg("one call goes first after the pause")
	}
	for k := range n {
		slots = append(slots, first.Add(time.Duration(k)*limits.interval))
	}
	return slots, 0, nil
}

// look returns the entry as last seen. It reads it when nothing is known, and
// writes the first one when there is none that can be used.
func (p *Pace) look(ctx context.Context) (state paceState, revision uint64, foreign bool, err error) {
	s := &p.shared
	s.mu.Lock()
	known, state, revision, foreign := s.known, s.state, s.revision, s.foreign
	s.mu.Unlock()
	if known && p.limits.plausible(state, p.clock.Database()) {
		return state, revision, foreign, nil
	}
	state, revision, usable, err := p.read(ctx)
	if err != nil {
		return paceState{}, 0, false, err
	}
	if !usable {
		state = p.fresh(p.clock.Database())
		if revision, err = p.write(ctx, state, revision); err != nil {
			return paceState{}, 0, false, err
		}
	}
	s.learn(state, revision, true)
	return state, revision, true, nil
}

// fresh is the state to begin with. A pause of a while ago is over and done with.
func (p *Pace) fresh(now time.Time) paceState {
	state := p.limits.fresh(now)
	if pause := p.current(); now.Sub(pause.until) > forgetPause {
		state.Episode, state.Resumed = pause.episode, pause.until
	}
	return state
}

// learn keeps what was read or written.
func (s *sharedState) learn(state paceState, revision uint64, foreign bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// The other lane of this replica may be further.
	if !s.known || s.revision < revision {
		s.known, s.state, s.revision, s.foreign = true, state, revision, foreign
	}
}

func (s *sharedState) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known = false
}

// read returns the entry in the bucket, and whether it can be used; revision 0
// means that there is none.
func (p *Pace) read(ctx context.Context) (state paceState, revision uint64, usable bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	entry, err := p.shared.bucket.Get(ctx, p.cfg.Key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return paceState{}, 0, false, nil
	}
	if err != nil {
		return paceState{}, 0, false, fmt.Errorf("read the shared pace: %w", plain(err))
	}
	state, err = decodePaceState(entry.Value())
	now := p.clock.Database()
	if err == nil && !p.limits.plausible(state, now) {
		err = fmt.Errorf("the shared pace is reserved until %s, and now is %s: the clocks of two replicas differ", state.All, now)
	}
	if err != nil {
		p.log.Error().Err(err).Msg("starting the shared pace anew")
		return paceState{}, entry.Revision(), false, nil
	}
	return state, entry.Revision(), true, nil
}

// write stores the entry if it still has the given revision, and returns the new one.
func (p *Pace) write(ctx context.Context, next paceState, revision uint64) (written uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, reserveTimeout)
	defer cancel()
	if revision == 0 {
		written, err = p.shared.bucket.Create(ctx, p.cfg.Key, next.encode())
	} else {
		written, err = p.shared.bucket.Update(ctx, p.cfg.Key, next.encode(), revision)
	}
	if err == nil {
		return written, nil
	}
	p.shared.forget()
	if conflict(err) {
		p.stats.conflicts.Add(1)
		return 0, errConflict
	}
	return 0, fmt.Errorf("write the shared pace: %w", plain(err))
}
