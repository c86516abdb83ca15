package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorgone/internal/clock"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/worker"
)

// validateFallback reports all that is wrong with the second provider.
func (c providerConfig) validateFallback() (faults []error) {
	f, ok := c.fallback()
	if !ok {
		if f.Key != "" || f.URL != "" || f.Rate != 0 || f.PerCall != 0 {
			faults = append(faults, errors.New("TWITTER_FALLBACK_PROVIDER is not set, and other variables of the fallback are"))
		}
		return faults
	}
	if f.Name != providerTwitterAPI && f.Name != providerX {
		faults = append(faults, fmt.Errorf("TWITTER_FALLBACK_PROVIDER is not one of %s, %s", providerTwitterAPI, providerX))
	}
	switch {
	case f.Key == "":
		faults = append(faults, errors.New("TWITTER_FALLBACK_PROVIDER is set, and TWITTER_FALLBACK_API_KEY is not"))
	case c.Key == "":
		faults = append(faults, errors.New("TWITTER_FALLBACK_PROVIDER is set, and TWITTER_API_KEY is not: there is nothing to fall back from"))
	case f.Name == c.Name && f.Key == c.Key:
		faults = append(faults, errors.New("the fallback has the provider and the key of the first: it would fail with it"))
	}
	if f.Rate != 0 && (f.Rate < 0.001 || f.Rate > 10000) {
		faults = append(faults, fmt.Errorf("TWITTER_FALLBACK_RATE is %g, want 0, or 0.001 to 10000", f.Rate))
	}
	if f.PerCall < 0 || f.PerCall > 100 {
		faults = append(faults, fmt.Errorf("TWITTER_FALLBACK_IDS_PER_CALL is %d, want 0 to 100", f.PerCall))
	}
	return faults
}

// lookups are the providers that can be asked, and what all replicas know of them.
// The first is asked; the second, if there is one, while the first is left alone.
type lookups struct {
	provider  provider // the first
	providers []provider
	sources   queue.Sources // in the same order
}

// openLookups joins what all replicas share of the providers.
func (a *app) openLookups(ctx context.Context, m messaging, c *clock.Clock, open *resources) (l lookups, err error) {
	if l.providers, err = a.openProviders(c.Now); err != nil {
		return l, err
	}
	l.provider = l.providers[0]
	for _, p := range l.providers {
		s := queue.Source{Name: p.name}
		if s.Pace, err = a.openPace(ctx, m, c, p, open); err != nil {
			return l, err
		}
		s.Breaker, err = queue.NewBreaker(ctx, m.queue, queue.BreakerConfig{
			Key: p.keyID, Provider: p.name, Streak: a.cfg.Provider.BreakerStreak, Share: a.cfg.Provider.BreakerShare,
			Rest: a.cfg.Provider.BreakerRest, MostRest: a.cfg.Provider.BreakerMaxRest, Lease: a.cfg.Provider.Timeout + checkMargin,
		}, c)
		if err != nil {
			return l, err
		}
		open.add(s.Breaker.Close)
		if s.Account, err = queue.NewAccount(ctx, m.queue, p.keyID, c); err != nil {
			return l, err
		}
		l.sources = append(l.sources, s)
	}
	return l, nil
}

// checkMargin is what a check of a provider may take on top of its call: the wait
// for its turn.
const checkMargin = 12 * time.Second

// openProviders opens the provider, and the fallback if there is one.
func (a *app) openProviders(now func() time.Time) ([]provider, error) {
	first, err := a.openProvider(a.cfg.Provider, now)
	if err != nil {
		return nil, err
	}
	f, ok := a.cfg.Provider.fallback()
	if !ok {
		return []provider{first}, nil
	}
	second, err := a.openProvider(f, now)
	if err != nil {
		return nil, err
	}
	return []provider{first, second}, nil
}

// workers is the providers as a worker asks them.
func (l lookups) workers(d database) []*worker.Provider {
	all := make([]*worker.Provider, len(l.providers))
	for i, p := range l.providers {
		s := l.sources[i]
		all[i] = &worker.Provider{
			Name: p.name, Lookup: p.lookup, Balance: p.balance, MaxIDs: p.maxIDs,
			Batch: s.Pace.Lane(queue.LaneBatch), Refresh: s.Pace.Lane(queue.LaneRefresh),
			Pace: s.Pace, Breaker: s.Breaker, Account: ledgerAccount{s.Account, p.name, d},
		}
	}
	return all
}

// paused tells whether no call is made for the time being, until when and why.
func (l lookups) paused() (until time.Time, reason string, paused bool) {
	stop, stopped := l.sources.Stopped()
	return stop.Until, stop.Reason, stopped
}

// ledgerAccount keeps a balance beside the ledger too, which it is compared with.
type ledgerAccount struct {
	*queue.Account

	provider string
	database
}

// Put implements worker.Account.
func (a ledgerAccount) Put(ctx context.Context, left int64, unit string) error {
	err := a.Account.Put(ctx, left, unit)
	if unit == twitter.UnitCredits {
		err = errors.Join(err, a.store.RecordBalance(ctx, store.Balance{Provider: a.provider, At: a.clock.Now(), Credits: float64(left)}))
	}
	return err
}
