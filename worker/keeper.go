package worker

import (
	"context"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/queue"
	"gorgone/twitter"
)

const (
	// balanceLook is how often each looks whether it is time.
	balanceLook = 30 * time.Second

	// balanceTime is how long reading it may take, the wait for its turn included.
	balanceTime = 30 * time.Second
)

// keep looks after the providers until ctx ends: it has those checked that are left
// alone, and reads what is left of the accounts.
func (w *Worker) keep(ctx context.Context) {
	var keepers conc.WaitGroup
	for _, p := range w.Providers {
		keepers.Go(func() {
			p.Breaker.Run(ctx, func(ctx context.Context) (queue.Cause, string) { return w.check(ctx, p) })
		})
		if w.cfg.BalanceEvery > 0 {
			keepers.Go(func() { w.readBalances(ctx, p) })
		}
	}
	keepers.Wait()
}

// check asks a provider that is left alone for the balance, which costs nothing. It
// returns why the provider is to be left alone further; "" when calls may be tried,
// the first of them alone.
func (w *Worker) check(ctx context.Context, p *Provider) (queue.Cause, string) {
	balance, err := w.balance(ctx, p)
	w.Log.Info().Err(err).Str("provider", p.Name).Int64("left", balance.Left).Str("unit", balance.Unit).Msg("checked the provider")
	switch kind := twitter.Kind(err); {
	case kind == twitter.KindOutOfCredit, err == nil && !balance.Pays():
		return queue.CauseOutOfCredit, reasonNoCredit
	case kind == twitter.KindUnauthorized:
		return queue.CauseKeyRefused, reasonKeyRefused
	case err != nil:
		return queue.CauseOutage, reasonOutage
	}
	p.Pace.Trial(ctx)
	return "", ""
}

// balance reads what is left of the account, and keeps it for all to see.
func (w *Worker) balance(ctx context.Context, p *Provider) (twitter.Balance, error) {
	g := &balanceGate{pace: p.Refresh, clock: w.Clock}
	b, err := p.Balance(ctx, g)
	if !g.began.IsZero() {
		switch twitter.Kind(err) {
		case twitter.KindRateLimited:
			w.heed(ctx, p, g.began, err)
		case twitter.KindCanceled:
		default:
			p.Pace.Answered(ctx, g.began)
		}
	}
	if err == nil && b.Known {
		if err := p.Account.Put(ctx, b.Left, b.Unit); err != nil {
			w.Log.Warn().Err(err).Str("provider", p.Name).Msg("keep the balance")
		}
	}
	return b, err
}

// balanceGate notes when the call began.
type balanceGate struct {
	pace  twitter.Gate
	clock Clock
	began time.Time
}

// Wait implements [twitter.Gate].
func (g *balanceGate) Wait(ctx context.Context) error {
	if err := g.pace.Wait(ctx); err != nil {
		return err
	}
	g.began = g.clock.Database()
	return nil
}

// readBalances reads the account's balance from time to time, unless another replica
// does. While the provider is left alone its check reads it.
func (w *Worker) readBalances(ctx context.Context, p *Provider) {
	timer := time.NewTimer(time.Duration(w.Random() * float64(time.Second)))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(balanceLook)
		if _, _, paused := p.Pace.Paused(); paused || p.Breaker.Allow() != nil {
			continue
		}
		mine, err := p.Account.Take(ctx, w.cfg.BalanceEvery)
		if err == nil && mine {
			reading, cancel := context.WithTimeout(ctx, balanceTime)
			_, err = w.balance(reading, p)
			cancel()
		}
		if err != nil && ctx.Err() == nil {
			w.Log.Warn().Err(err).Str("provider", p.Name).Msg("read the balance")
		}
	}
}
