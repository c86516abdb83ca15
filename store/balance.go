package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
)

// Balance is what was left in the account at a provider.
type Balance struct {
	Provider string
	At       time.Time // engine time
	Credits  float64
}

// RecordBalance keeps what a provider says is left in the account, beside all that
// the ledger has of it up to now.
func (s *Store) RecordBalance(ctx context.Context, b Balance) error {
	const sql = `
		insert into gorgone.balances (provider, at, credits, booked)
		select $5::text, $6::timestamptz, $7::float8, coalesce(sum(e.credits), 0)
		from (` + spendingSince + `) e where e.provider = $5::text
		on conflict (provider, at) do nothing`
	providers, dollars, credits := s.options.Prices.columns()
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	var ever time.Time // the zero time is before all
	_, err := s.db.pool.Exec(ctx, sql, ever, providers, dollars, credits, b.Provider, b.At, b.Credits)
	if err != nil {
		return fmt.Errorf("record the balance: %w", err)
	}
	return nil
}

// Reconciliation compares the ledger with what a provider took off the account
// between two readings of its balance.
type Reconciliation struct {
	Provider string
	From, To time.Time // of the readings, engine time; equal when there is one only
	Left     float64   // credits, at the last
	Taken    float64   // credits that the balance fell by
	Added    float64   // credits that it rose by: somebody paid
	Booked   float64   // credits by the ledger, over the same time
}

// Drift is how much more the provider took than the ledger has, as a share of what
// it took; 0 when nothing was taken. Calls whose answer was lost may be billed and
// are not in the ledger. Where somebody paid between two readings, what was taken
// between these is not known, and drift is less than it was.
func (r Reconciliation) Drift() float64 {
	if r.Taken <= 0 {
		return 0
	}
	return (r.Taken - r.Booked) / r.Taken
}

// Endless reports whether the account has more than can be counted, as that of a
// provider's double has.
func (r Reconciliation) Endless() bool { return r.Left >= math.MaxInt32 }

// Reconcile compares the ledger with the balances that were read from the given
// engine time on.
func (s *Store) Reconcile(ctx context.Context, from time.Time) ([]Reconciliation, error) {
	const sql = `
		select provider, min(at), max(at), (array_agg(credits order by at desc))[1],
			coalesce(sum(fell) filter (where fell > 0), 0), coalesce(-sum(fell) filter (where fell < 0), 0),
			max(booked) - min(booked)
		from (
			select *, lag(credits) over (partition by provider order by at) - credits fell
			from gorgone.balances where at >= $1::timestamptz
		) b
		group by provider order by provider`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql, from)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Reconciliation, err error) {
		return r, row.Scan(&r.Provider, &r.From, &r.To, &r.Left, &r.Taken, &r.Added, &r.Booked)
	})
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return list, nil
}
