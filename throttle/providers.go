package throttle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorgone/engagement"
)

// Provider is what all replicas share about a provider: its rate limiter, circuit
// breaker and account.
type Provider struct {
	Name    string
	Limiter *Limiter
	Breaker *Breaker
	Account *Account
}

// Providers are the providers that can be called: the first is, and each further one
// while the breakers of those before it are open.
type Providers []Provider

// Stop is why no call is made for now.
type Stop struct {
	Cause  engagement.FailureCause
	Reason string    // for people
	Until  time.Time // database time of the end of a pause, or of the next check
}

// Stopped reports whether and why no call is made: the provider that would be called is
// paused, or the breakers of all are open.
func (all Providers) Stopped() (stop Stop, stopped bool) {
	for i, p := range all {
		if open, ok := errors.AsType[*OpenError](p.Breaker.Allow()); ok {
			if i == 0 {
				stop, stopped = Stop{open.Cause, open.Reason, open.Next}, true
			}
			continue
		}
		until, reason, paused := p.Limiter.Paused()
		return Stop{engagement.CauseRateLimited, reason, until}, paused
	}
	return stop, stopped
}

// ProviderStatus is the state of a provider for people and programs to read.
type ProviderStatus struct {
	Provider    string        `json:"provider"`
	Rate        float64       `json:"rate"`         // configured calls per second; 0: unlimited
	Factor      float64       `json:"rate_factor"`  // part of the rate in force: halved by a refusal, then rising again
	PausedUntil *time.Time    `json:"paused_until"` // null: not paused
	PauseReason string        `json:"pause_reason,omitempty"`
	Recovering  bool          `json:"recovering"`  // the one call that starts first after a pause has not been answered yet
	RateLimits  int64         `json:"rate_limits"` // how often the rate limit was hit; refusals during one pause count once
	Breaker     BreakerReport `json:"breaker"`
	Balance     *Balance      `json:"balance"` // null: unknown
}

// BreakerReport is a [BreakerStatus] as JSON.
type BreakerReport struct {
	State     BreakerState            `json:"state"`
	Since     *time.Time              `json:"since"`                // null: always
	Cause     engagement.FailureCause `json:"cause,omitempty"`      // why it opened last
	Reason    string                  `json:"reason,omitempty"`     // the same for people
	NextCheck *time.Time              `json:"next_check,omitempty"` // only while it is open
	Opens     int                     `json:"opens"`                // consecutive openings and failed checks
}

// Status reads the state of each provider.
func (all Providers) Status(ctx context.Context) ([]ProviderStatus, error) {
	list := make([]ProviderStatus, len(all))
	for i, p := range all {
		limiter, err := p.Limiter.Status(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", p.Name, err)
		}
		b := p.Breaker.Status()
		list[i] = ProviderStatus{
			Provider: p.Name, Rate: limiter.Rate, Factor: limiter.Factor,
			PausedUntil: orNull(limiter.PausedUntil), PauseReason: limiter.Reason,
			Recovering: limiter.Recovering, RateLimits: limiter.RateLimits,
			Breaker: BreakerReport{
				State: b.State, Since: orNull(b.Since), Cause: b.Cause, Reason: b.Reason, NextCheck: orNull(b.Next), Opens: b.Opens,
			},
		}
		balance, known, err := p.Account.Balance(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the state of %s: %w", p.Name, err)
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
