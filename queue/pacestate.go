package queue

import (
	"context"
	"time"
)

// PaceStatus is where a shared pace stands, for people to look at.
type PaceStatus struct {
	Rate        float64   // calls a second that are set; 0: unlimited
	Factor      float64   // part of it in force, in (0,1]: it is halved when the provider refuses, and rises again
	PausedUntil time.Time // database time; zero: not paused
	Reason      string    // of the pause
	Recovering  bool      // after a pause one call goes first, and has not been answered yet
	Limited     int64     // how often the rate limit was met so far; refusals of one pause count once
	LimitedAt   time.Time // when it was met last; zero: never
}

// Status reads where the pace stands.
func (p *Pace) Status(ctx context.Context) (PaceStatus, error) {
	if err := p.readPause(ctx); err != nil {
		return PaceStatus{}, err
	}
	pause := p.current()
	s := PaceStatus{Rate: p.cfg.Rate, Factor: 1, Limited: pause.episode, LimitedAt: pause.since}
	now := p.clock.Database()
	if now.Before(pause.until) {
		s.PausedUntil, s.Reason = pause.until, pause.reason
	}
	if p.cfg.Rate == 0 {
		return s, nil
	}
	state, _, usable, err := p.read(ctx)
	if err != nil {
		return PaceStatus{}, err
	}
	if usable {
		state = state.held(pause.until, pause.episode)
		s.Factor, s.Recovering = state.Factor, !state.Hold.IsZero() && !now.Before(state.Hold)
	}
	return s, nil
}
