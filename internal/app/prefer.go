package app

import (
	"context"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/store/bill"
	"gorgone/worker/lookup"
)

// InOrder returns the providers in the order in which they are asked for tweets that no key was
// charged for yet on a UTC day: as they are configured, or the cheaper first where that is
// preferred. So the schedule, the pace and the budget go by the one that is asked most. Where a
// later one charges nothing for tweets that its key has read on that day, it is asked for them.
func InOrder(cfg config.Config) config.Provider {
	p := cfg.Provider
	f, ok := p.Fallback()
	prices := Prices(cfg)
	if !ok || p.Prefer != config.PreferCheaper || prices[f.Name].Dollars >= prices[p.Name].Dollars {
		return p
	}
	f.FallbackName, f.FallbackKey, f.FallbackURL, f.FallbackRate, f.FallbackPerCall = p.Name, p.Key, p.URL, p.Rate, p.PerCall
	return f
}

// Price returns what the provider charges that is asked first.
func Price(cfg config.Config) engagement.Billing { return Prices(cfg)[InOrder(cfg).Name] }

// priced adds to providers what they charge for a look-up, if the cheaper one is preferred.
func (l *Lookups) priced(all []*lookup.Provider, d *Database) []*lookup.Provider {
	if l.prices == nil {
		return all
	}
	for _, p := range all {
		p.Price = func(ctx context.Context, tweets []string) (dollars float64, err error) {
			return bill.Price(ctx, d.DB, d.Clock.Now(), p.KeyID, l.prices[p.Name], tweets)
		}
	}
	return all
}
