package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/budget"
	"gorgone/store/keys"
	"gorgone/store/postgres"
)

// A claim counts as spent what its tweets cost when each is asked for once. A call beyond
// that, such as a retry of one whose answer was lost, is made only when the budget has the
// money for it, which is set aside until the call's cost is in the ledger. What the ledger
// never hears of, because the answer was lost, stays set aside for the day and the month.

// asideLasts is how long, in real time, money is set aside for a call at most.
const asideLasts = 10 * time.Minute

// Covered returns how many tweets may be billed for look-ups that are counted as spent: of
// so many tweets in a batch, or, each with a canary of its own, in refreshes.
func Covered(tweets int, refresh bool) int {
	switch {
	case tweets <= 0:
		return 0
	case refresh:
		return budget.MostBilled(tweets, tweets)
	default:
		return budget.MostBilled(tweets, 1)
	}
}

// SetAside sets money aside for a call of so many tweets, under an id, until
// [Store.ReleaseAside]; asked are those it is for, without canaries. The error is a
// [LimitError] when a budget, or the cap of a zone that it would serve, does not buy it.
// Without a budget and caps it does nothing.
func (s *Store) SetAside(ctx context.Context, id uuid.UUID, refresh bool, tweets int, asked []string) error {
	return s.SetAsideFor(ctx, keys.Shared, id, refresh, tweets, asked)
}

// SetAsideFor is [Store.SetAside] for a call with a client's own key, which counts for caps only.
func (s *Store) SetAsideFor(ctx context.Context, client, id uuid.UUID, refresh bool, tweets int, asked []string) error {
	const insert = `
		insert into gorgone.set_aside (id, at, refresh, tweets, until, shares, key_client)
		values ($1::uuid, $2::timestamptz, $3::bool, $4::int4, $5::timestamptz, $6::text::jsonb, nullif($7::uuid, '00000000-0000-0000-0000-000000000000'))`
	if err := s.readPolicies(ctx, false); err != nil {
		return err
	}
	dollars, tenants := s.options.Budget, s.tenants()
	bounded := client == keys.Shared && (refresh && dollars.RefreshDay > 0 || !refresh && (dollars.Day > 0 || dollars.Month > 0))
	if !bounded && !tenants.Capped() {
		return nil
	}
	return s.db.Transact(ctx, "set money aside", func(ctx context.Context, t *postgres.Tx) error {
		now := s.clock.Now()
		spent := Spending{At: now, Budget: dollars}
		var (
			books  budget.Books
			shares map[uuid.UUID]float64
		)
		b := t.Group()
		if !refresh { // against claims, which spend the same money
			b.Queue(`select pg_advisory_xact_lock($1::int8)`, int64(claimLock))
		}
		if refresh || tenants.Capped() {
			b.Queue(`select pg_advisory_xact_lock($1::int8)`, int64(refreshBudgetLock))
		}
		s.queueReadSpending(b, &spent)
		if tenants.Capped() {
			tenants.QueueCommit(b, s.ledgerOf(now), &books)
			budget.QueueZones(b, asked, &shares)
		}
		if err := t.Send(ctx, b); err != nil {
			return fmt.Errorf("read what was spent: %w", err)
		}
		which, until := spent.short(s.dearest() * float64(tweets))
		if refresh {
			which, until = spent.shortOfRefreshes(s.dearest() * float64(tweets))
		}
		if bounded && which != "" {
			return &LimitError{After: s.clock.Real(until.Sub(now)), Reason: which + " is used up", Budget: true}
		}
		for zone, share := range shares {
			if err := s.overCap(tenants, books, zone, s.dearest()*float64(tweets)*share, refresh, now); err != nil {
				return err
			}
		}
		b = t.Group()
		b.Queue(insert, id, now, refresh, tweets, now.Add(s.clock.Engine(asideLasts)), budget.Shares(shares, tweets), client)
		return t.Send(ctx, b)
	})
}

// ReleaseAside gives back what was set aside under an id: its call is in the ledger.
func (s *Store) ReleaseAside(ctx context.Context, ids ...uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	if _, err := s.db.Exec(ctx, `delete from gorgone.set_aside where id = any($1::uuid[])`, ids); err != nil {
		return fmt.Errorf("give back what was set aside: %w", err)
	}
	return nil
}

// insertLost sets aside what calls may have cost whose answers were lost.
const insertLost = `
	insert into gorgone.set_aside (id, at, refresh, tweets, until, shares, key_client)
	select u.id, $1::timestamptz, $2::bool, u.tweets, null, u.shares::jsonb, u.key_client
	from unnest($3::uuid[], $4::int4[], $5::text[], $6::uuid[]) u (id, tweets, shares, key_client) order by u.id
	on conflict do nothing`

// queueLost adds the statement that sets aside what calls may have cost beside, for zones by
// their shares.
func queueLost(b *pgx.Batch, spent []Calls, of map[uuid.UUID]float64, refresh bool, now time.Time) {
	var (
		ids    []uuid.UUID
		tweets []int
		shares []*string
		whose  keys.Column
	)
	for _, c := range spent {
		if c.Lost == 0 {
			continue
		}
		id := c.UsageID
		if id == uuid.Nil {
			id = uuid.New()
		}
		ids, tweets, shares = append(ids, id), append(tweets, c.Lost), append(shares, budget.Shares(of, c.Lost))
		whose.Add(c.Client)
	}
	if len(ids) > 0 {
		b.Queue(insertLost, now, refresh, ids, tweets, shares, whose.Values())
	}
}

// selectAside sums up the tweets for which money is set aside by the shared key: for calls under way, of the
// schedule and of refreshes, and for lost answers, of this day and month and of refreshes
// of this day.
const selectAside = `
	select
		coalesce(sum(tweets) filter (where not refresh and until is not null), 0),
		coalesce(sum(tweets) filter (where refresh and until is not null), 0),
		coalesce(sum(tweets) filter (where not refresh and until is null and at >= $2::timestamptz), 0),
		coalesce(sum(tweets) filter (where not refresh and until is null), 0),
		coalesce(sum(tweets) filter (where refresh and until is null and at >= $2::timestamptz), 0)
	from gorgone.set_aside where key_client is null and (until > $1::timestamptz or until is null and at >= $3::timestamptz)`

// queueReadAside adds the statement that reads what is set aside at spent.At.
func (s *Store) queueReadAside(b *pgx.Batch, spent *Spending) {
	b.Queue(selectAside, spent.At, utcDay(spent.At), monthOf(spent.At)).QueryRow(func(r pgx.Row) error {
		var calls, refreshes, today, month, refreshToday int
		err := r.Scan(&calls, &refreshes, &today, &month, &refreshToday)
		price := s.dearest()
		spent.Committed += price * float64(calls)
		spent.RefreshCommitted += price * float64(refreshes)
		spent.LostToday, spent.LostMonth = price*float64(today), price*float64(month)
		spent.RefreshLost = price * float64(refreshToday)
		return err
	})
}
