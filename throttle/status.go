package throttle

import (
	"context"
	"time"
)

// LimiterStatus is the state of a rate limiter for people to read.
type LimiterStatus struct {
	Rate        float64   // configured calls per second; 0: unlimited
	Factor      float64   // the rate in force as a part of Rate, in (0,1]: halved when the provider refuses a call, rising again after
	PausedUntil time.Time // database time; zero: not paused
	Reason      string    // of the pause
	Recovering  bool      // the one call that starts first after a pause has not been answered yet
	RateLimits  int64     // how often the provider's rate limit was hit; refusals during one pause count once
	LimitedAt   time.Time // when it was hit last; zero: never
}

// Status reads the shared state.
func (l *Limiter) Status(ctx context.Context) (LimiterStatus, error) {
	if err := l.readPause(ctx); err != nil {
		return LimiterStatus{}, err
	}
	pause := l.currentPause()
	s := LimiterStatus{Rate: l.cfg.Rate, Factor: 1, RateLimits: pause.episode, LimitedAt: pause.since}
	now := l.clock.Database()
	if now.Before(pause.until) {
		s.PausedUntil, s.Reason = pause.until, pause.reason
	}
	if l.cfg.Rate == 0 {
		return s, nil
	}
	state, _, usable, err := l.read(ctx)
	if err != nil {
		return LimiterStatus{}, err
	}
	if usable {
		state = state.paused(pause.until, pause.hit())
		s.Factor, s.Recovering = state.Factor, !state.HoldUntil.IsZero() && !now.Before(state.HoldUntil)
	}
	return s, nil
}
