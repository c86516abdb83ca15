package app

import (
	"context"
	"errors"
	"time"

	"gorgone/internal/clock"
	"gorgone/internal/config"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/throttle"
	"gorgone/twitter"
	"gorgone/worker/lookup"
)

// checkMargin is what a health check of a provider may take on top of its call: the
// wait for its turn.
const checkMargin = 12 * time.Second

// Lookups are the providers that can be asked, and what all replicas know of them.
// The first is asked; the second, if there is one, while the first is unavailable.
type Lookups struct {
	Providers []*Provider
	Shared    throttle.Providers // in the same order

	prices store.Prices // set: the cheaper one for a look-up is asked

	closers
}

// OpenLookups opens the providers and joins what all replicas share of them.
func (p *Process) OpenLookups(ctx context.Context, cfg config.Provider, q *Queue, c *clock.Clock) (_ *Lookups, err error) {
	l := new(Lookups)
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.Providers, err = p.OpenProviders(cfg, c.Now); err != nil {
		return nil, err
	}
	for _, provider := range l.Providers {
		s, err := p.join(ctx, cfg, provider, provider.Name, q, c, &l.closers)
		if err != nil {
			return nil, err
		}
		l.Shared = append(l.Shared, s)
	}
	return l, nil
}

// join joins what all replicas share of a provider's key; name is what people know it by.
func (p *Process) join(ctx context.Context, cfg config.Provider, provider *Provider, name string, q *Queue, c *clock.Clock, closing *closers) (s throttle.Provider, err error) {
	s.Name = provider.Name
	reserve := provider.Reserve
	if reserve == 0 {
		reserve = -1 // the pace takes 0 for its default
	}
	if s.Limiter, err = throttle.NewLimiter(ctx, q.Queue, throttle.LimiterConfig{Key: provider.KeyID, Rate: provider.Rate, RefreshReserve: reserve, Log: p.Log}, c); err != nil {
		return s, err
	}
	closing.add(s.Limiter.Close)
	s.Breaker, err = throttle.NewBreaker(ctx, q.Queue, throttle.BreakerConfig{
		Key: provider.KeyID, Provider: name, Streak: cfg.BreakerStreak, Share: cfg.BreakerShare,
		Rest: cfg.BreakerRest, MaxRest: cfg.BreakerMaxRest, Lease: cfg.Timeout + checkMargin, Log: p.Log,
	}, c)
	if err != nil {
		return s, err
	}
	closing.add(s.Breaker.Close)
	s.Account, err = throttle.NewAccount(ctx, q.Queue, provider.KeyID, c)
	return s, err
}

// Close leaves what is shared.
func (l *Lookups) Close() { l.close() }

// forWorker returns the providers as a worker asks them.
func (l *Lookups) forWorker(d *Database) []*lookup.Provider {
	all := make([]*lookup.Provider, len(l.Providers))
	for i, p := range l.Providers {
		s := l.Shared[i]
		all[i] = p.forWorker(s, ledgerAccount{s.Account, p.Name, d})
	}
	return l.priced(all, d)
}

// forWorker returns the provider as a worker asks it.
func (p *Provider) forWorker(s throttle.Provider, account lookup.Account) *lookup.Provider {
	return &lookup.Provider{
		Name: p.Name, KeyID: p.KeyID, Lookup: p.client.lookup, Balance: p.client.balance, MaxIDs: p.MaxIDs, Larger: p.client.larger, Rate: p.Rate,
		Batch: s.Limiter.Class(queue.ClassBatch), Refresh: s.Limiter.Class(queue.ClassRefresh),
		Limiter: s.Limiter, Breaker: s.Breaker, Account: account,
	}
}

// paused reports until when and why no call is made for the time being.
func (l *Lookups) paused() (until time.Time, reason string, paused bool) {
	stop, stopped := l.Shared.Stopped()
	return stop.Until, stop.Reason, stopped
}

// ledgerAccount records a balance in the ledger too, which it is compared with.
type ledgerAccount struct {
	*throttle.Account

	provider string
	database *Database
}

// Put implements lookup.Account.
func (a ledgerAccount) Record(ctx context.Context, left int64, unit string) error {
	err := a.Account.Record(ctx, left, unit)
	if unit == twitter.UnitCredits {
		err = errors.Join(err, a.database.Store.RecordBalance(ctx, store.Balance{Provider: a.provider, At: a.database.Clock.Now(), Credits: float64(left)}))
	}
	return err
}
