package lookup

import (
	"context"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/twitter"
)

const (
	// balanceTick is how often each replica checks whether it is time.
	balanceTick = 30 * time.Second

	// balanceTimeout is how long reading it may take, the wait for its turn included.
	balanceTimeout = 30 * time.Second
)

// CheckProviders checks the providers whose breaker is open, and reads the balances of
// the accounts, until ctx ends.
func (c *Client) CheckProviders(ctx context.Context) {
	var checks conc.WaitGroup
	for _, p := range c.parts.Providers {
		checks.Go(func() {
			p.Breaker.Run(ctx, func(ctx context.Context) (engagement.FailureCause, string) { return c.check(ctx, p) })
		})
		if c.cfg.BalanceEvery > 0 {
			checks.Go(func() { c.readBalances(ctx, p) })
		}
	}
	checks.Wait()
}

// balance reads what is left of the account, and stores it for all replicas.
func (c *Client) balance(ctx context.Context, p *Provider) (twitter.Balance, error) {
	g := &pacedGate{pace: p.Refresh, clock: c.parts.Clock}
	b, err := p.Balance(ctx, g)
	if !g.began.IsZero() {
		switch twitter.Kind(err) {
		case twitter.KindRateLimited:
			c.shareResult(ctx, p, g.began, err)
		case twitter.KindCanceled:
		default:
			p.Limiter.Answered(ctx, g.began)
		}
	}
	if err == nil && b.Known {
		if err := p.Account.Record(ctx, b.Left, b.Unit); err != nil {
			c.parts.Log.Warn().Err(err).Str("provider", p.Name).Msg("storing the balance failed")
		}
	}
	return b, err
}

// pacedGate is the gate of a call that is made whether the breaker is open or not. It
// notes when the call began.
type pacedGate struct {
	pace  twitter.Gate
	clock Clock
	began time.Time
}

// Wait implements [twitter.Gate].
func (g *pacedGate) Wait(ctx context.Context) error {
	if err := g.pace.Wait(ctx); err != nil {
		return err
	}
	g.began = g.clock.Database()
	return nil
}

// readBalances reads the account's balance from time to time, unless another replica
// does.
func (c *Client) readBalances(ctx context.Context, p *Provider) {
	timer := time.NewTimer(time.Duration(c.parts.Random() * float64(time.Second)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(balanceTick)
		if _, _, paused := p.Limiter.Paused(); paused {
			continue
		}
		mine, err := p.Account.Acquire(ctx, c.cfg.BalanceEvery)
		if err == nil && mine {
			reading, cancel := context.WithTimeout(ctx, balanceTimeout)
			_, err = c.balance(reading, p)
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			c.parts.Log.Warn().Err(err).Str("provider", p.Name).Msg("reading the balance failed")
		}
	}
}
