package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Source is a provider as all replicas share it: its pace, its circuit breaker and
// its account.
type Source struct {
	Name    string
	Pace    *Pace
	Breaker *Breaker
	Account *Account
}

// Sources are the providers that can be asked: the first is, and the others in turn
// while its breaker is open.
type Sources []Source

// Stop is why no call is made for the time being.
type Stop struct {
	Cause  Cause
	Reason string    // for people
	Until  time.Time // database time of the end of a pause, or of the next check
}

// Stopped tells whether and why no call is made: the provider that would be asked
// rests, or the breakers of all are open.
func (all Sources) Stopped() (stop Stop, stopped bool) {
	for i, s := range all {
		if open, ok := errors.AsType[*OpenError](s.Breaker.Allow()); ok {
			if i == 0 {
				stop, stopped = Stop{open.Cause, open.Reason, open.Next}, true
			}
			continue
		}
		until, reason, paused := s.Pace.Paused()
		return Stop{CauseRateLimited, reason, until}, paused
	}
	return stop, stopped
}

// SourceStatus is where a provider stands.
type SourceStatus struct {
	Provider    string        `json:"provider"`
	Rate        float64       `json:"rate"`         // calls a second that are set; 0: unlimited
	Factor      float64       `json:"rate_factor"`  // part of it in force: halved by a refusal, and rising again
	PausedUntil *time.Time    `json:"paused_until"` // null: not paused
	PauseReason string        `json:"pause_reason,omitempty"`
	Recovering  bool          `json:"recovering"`  // after a pause one call goes first, and was not answered yet
	RateLimits  int64         `json:"rate_limits"` // how often the rate limit was met; refusals of one pause count once
	Breaker     BreakerReport `json:"breaker"`
	Balance     *Balance      `json:"balance"` // null: not known
}

// BreakerReport is a [BreakerStatus] to be shown.
type BreakerReport struct {
	State     BreakerState `json:"state"`
	Since     *time.Time   `json:"since"`                // null: always
	Cause     Cause        `json:"cause,omitempty"`      // why it opened last
	Reason    string       `json:"reason,omitempty"`     // the same for people
	NextCheck *time.Time   `json:"next_check,omitempty"` // only while it is open
	Opens     int          `json:"opens"`                // how often in a row it opened, or a check failed
}

// Status reads where each provider stands.
func (all Sources) Status(ctx context.Context) ([]SourceStatus, error) {
	list := make([]SourceStatus, len(all))
	for i, s := range all {
		pace, err := s.Pace.Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", s.Name, err)
		}
		b := s.Breaker.Status()
		list[i] = SourceStatus{
			Provider: s.Name, Rate: pace.Rate, Factor: pace.Factor, PausedUntil: orNull(pace.PausedUntil), PauseReason: pace.Reason,
			Recovering: pace.Recovering, RateLimits: pace.Limited,
			Breaker: BreakerReport{State: b.State, Since: orNull(b.Since), Cause: b.Cause, Reason: b.Reason, NextCheck: orNull(b.Next), Opens: b.Opens},
		}
		balance, known, err := s.Account.Balance(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", s.Name, err)
		}
		if known {
			list[i].Balance = &balance
		}
	}
	return list, nil
}

func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
