package worker

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"gorgone/store"
	"gorgone/store/bill"
)

// usage is what calls cost that is not in the ledger yet.
type usage []store.Calls

// add adds what a step of a look-up cost, and returns how many calls and canaries it took.
func (u *usage) add(step []store.Calls) (calls, canaries int) {
	for _, c := range step {
		*u = bill.Add(*u, c)
		calls, canaries = calls+c.Count, canaries+c.Canaries
	}
	return calls, canaries
}

// named returns the usage under a name, so that writing it again, when it is not known
// whether it was written, enters it once.
func (u usage) named() []store.Calls {
	bill.Identify(u)
	return u
}

// record enters the usage into the ledger if the database takes it. What is written with
// the results later enters it no second time.
func (u usage) record(ctx context.Context, s Store, refresh bool) error {
	if len(u) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleTimeout)
	defer cancel()
	return s.RecordCalls(ctx, refresh, u.named()...)
}

// keepUsage is for how long usage is kept that the database does not take: until ctx ends.
const keepUsage = 24 * time.Hour

// recordRest records what calls cost whose answers led to no write. It tries until ctx
// ends, and then once more; what the database does not take then is kept.
func (u usage) recordRest(ctx context.Context, d *database, s Store, k Keeper, refresh bool, log *zerolog.Logger) {
	if len(u) == 0 {
		return
	}
	calls := u.named()
	err := d.retry(ctx, d.clock.Now().Add(keepUsage), log, func() error { return s.RecordCalls(ctx, refresh, calls...) })
	if err != nil && ctx.Err() != nil {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		defer cancel()
		if err = s.RecordCalls(last, refresh, calls...); err != nil {
			if _, e := keep(context.WithoutCancel(ctx), k, keptBody{Refresh: refresh}, calls); e == nil {
				log.Info().Err(err).Msg("what some calls cost is kept in the queue")
				return
			}
		}
	}
	if err != nil {
		log.Error().Err(err).Msg("what some calls cost is missing from the ledger")
	}
}
