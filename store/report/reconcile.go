package report

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Reconciliation compares the ledger with what a provider took off the account
// between two readings of its balance.
type Reconciliation struct {
	Provider string
	From, To time.Time // of the readings, engine time; equal when there is one only
	Left     float64   // credits, at the last
	Taken    float64   // credits that the balance fell by
	Added    float64   // credits that were added to it
	Booked   float64   // credits by the ledger, over the same time
}

// Drift is how much more the provider took than the ledger has, as a share of what
// it took; 0 when nothing was taken. Calls whose answer was lost may be billed and
// are not in the ledger. When credits were added between two readings, what was taken
// between these is unknown, and the true drift is larger.
func (r Reconciliation) Drift() float64 {
	if r.Taken <= 0 {
		return 0
	}
	return (r.Taken - r.Booked) / r.Taken
}

// Reconcile compares the ledger with the balances that were read from the given
// engine time on.
func (r *Reader) Reconcile(ctx context.Context, from time.Time) ([]Reconciliation, error) {
	const sql = `
		select provider, min(at), max(at), (array_agg(credits order by at desc))[1],
			coalesce(sum(fell) filter (where fell > 0), 0), coalesce(-sum(fell) filter (where fell < 0), 0),
			max(booked) - min(booked)
		from (
			select *, lag(credits) over (partition by provider order by at) - credits fell
			from gorgone.balances where at >= $1::timestamptz
		) b
		group by provider order by provider`
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	rows, err := r.db.Query(ctx, sql, from)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Reconciliation, err error) {
		return c, row.Scan(&c.Provider, &c.From, &c.To, &c.Left, &c.Taken, &c.Added, &c.Booked)
	})
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	return list, nil
}
