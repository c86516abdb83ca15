package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/bill"
	"gorgone/store/budget"
	"gorgone/store/keys"
	"gorgone/store/postgres"
)

// Prices are how providers charge, by the provider's name. What an unknown one
// charges is taken for 0.
type Prices map[string]engagement.Billing

// columns returns the prices as arrays.
func (p Prices) columns() (providers []string, dollars, credits []float64) {
	for _, name := range slices.Sorted(maps.Keys(p)) {
		providers = append(providers, name)
		dollars = append(dollars, p[name].Dollars)
		credits = append(credits, p[name].Credits)
	}
	return providers, dollars, credits
}

// Expense is what was spent on a day at one provider for one zone.
type Expense struct {
	Day      time.Time // midnight, UTC
	Provider string
	Client   uuid.UUID // whose key was used; zero: the shared one
	Zone     uuid.UUID // zero: of no zone, such as a call that failed
	Refresh  bool      // of the money for refreshes, rather than of the schedule's
	Kind     string    // one of the Purpose constants
	Calls    float64   // HTTP calls; a call that serves several zones is shared among them
	Tweets   float64   // tweets billed, shared likewise
	Credits  float64
	Dollars  float64
}

// insertSpending enters what has no name, and what has one that was never entered: the
// first to write the name of a bill enters it, and others wait for that one's end.
const insertSpending = `
	with u as materialized (
		select u.provider, nullif(u.zone, '00000000-0000-0000-0000-000000000000'::uuid) zone, u.calls, u.tweets,
			nullif(u.bill, '00000000-0000-0000-0000-000000000000'::uuid) bill, nullif(u.kind, '') kind, u.key_client
		from unnest($3::text[], $4::uuid[], $5::float8[], $6::float8[], $7::uuid[], $8::text[], $9::uuid[]) u (provider, zone, calls, tweets, bill, kind, key_client)
	), named as (
		insert into gorgone.bills (bill, at) select distinct u.bill, $1::timestamptz from u where u.bill is not null order by 1
		on conflict do nothing returning bill
	)
	insert into gorgone.spending (at, provider, zone_id, refresh, calls, tweets, bill, kind, key_client)
	select $1::timestamptz, u.provider, u.zone, $2::bool, u.calls, u.tweets, u.bill, u.kind, u.key_client
	from u where u.bill is null or u.bill in (select bill from named)`

// billsLast is how long, in engine time, the names of entries are kept after these were
// added to the ledger: longer than workers try to write them.
const billsLast = 48 * time.Hour

// queueSpending adds the statement that records what calls cost, shared among the
// zones that they were made for.
func queueSpending(b *pgx.Batch, spent []Calls, shares map[uuid.UUID]float64, refresh bool, now time.Time) {
	if len(shares) == 0 {
		shares = map[uuid.UUID]float64{uuid.Nil: 1}
	}
	var (
		providers     []string
		kinds         []string
		zones, bills  []uuid.UUID
		calls, tweets []*float64
		whose         keys.Column
	)
	for _, c := range spent {
		for _, zone := range slices.SortedFunc(maps.Keys(shares), compareIDs) {
			share := shares[zone]
			providers, zones = append(providers, c.Provider), append(zones, zone)
			calls = append(calls, new(float64(c.Count)*share))
			tweets = append(tweets, new(float64(c.Billed)*share))
			bills, kinds = append(bills, c.UsageID), append(kinds, c.Purpose)
			whose.Add(c.Client)
		}
	}
	if len(providers) > 0 {
		b.Queue(insertSpending, now, refresh, providers, zones, calls, tweets, bills, kinds, whose.Values())
	}
	queueLost(b, spent, shares, refresh, now)
}

// zoneShares returns how much of the work on the rows was each zone's: every tweet
// counts the same, and a tweet that several zones track is shared among its rows.
// Rows whose zone is not known count for the zero id. The shares add up to 1.
func zoneShares(rows []AppliedRow) map[uuid.UUID]float64 {
	byTweet := make(map[string]int)
	for i := range rows {
		byTweet[rows[i].TweetID]++
	}
	shares := make(map[uuid.UUID]float64)
	for i := range rows {
		shares[rows[i].ZoneID] += 1 / float64(byTweet[rows[i].TweetID]) / float64(len(byTweet))
	}
	return shares
}

// RecordCalls records what calls cost that led to nothing that could be applied.
func (s *Store) RecordCalls(ctx context.Context, refresh bool, calls ...Calls) error {
	if len(calls) == 0 {
		return nil
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	now := s.clock.Now()
	return s.db.Transact(ctx, "record what calls cost", func(ctx context.Context, t *postgres.Tx) error {
		spent, err := bill.Charge(ctx, t, calls)
		if err != nil {
			return err
		}
		b := t.Group()
		queueSpending(b, spent, nil, refresh, now)
		return t.Send(ctx, b)
	})
}

// ledgerLock lets one process close the books at a time ("ledge" in hexadecimal
// ASCII).
const ledgerLock = 0x6c65646765

// CloseLedger adds what was spent before the given engine time to the ledger, at
// today's prices. It returns how many entries; while another process does the same
// it does nothing.
func (s *Store) CloseLedger(ctx context.Context, before time.Time) (entries int, err error) {
	const sql = `
		with closed as (
			delete from gorgone.spending where at < $1::timestamptz returning *
		), forgotten as (
			-- After an outage the entries from before it are still there: their names are kept.
			delete from gorgone.bills where at < (select min(at) from gorgone.spending) - $5::interval
		), unused as (
			delete from gorgone.set_aside where until < $1::timestamptz or until is null and at < $1::timestamptz - interval '32 days'
		), booked as (
			insert into gorgone.ledger as l (day, provider, zone_id, refresh, kind, key_client, calls, tweets, credits, dollars)
			select (s.at at time zone 'UTC')::date, s.provider, coalesce(s.zone_id, '00000000-0000-0000-0000-000000000000'::uuid), s.refresh,
				` + kindOf + `, coalesce(s.key_client, '00000000-0000-0000-0000-000000000000'::uuid), sum(s.calls), sum(s.tweets), sum(s.tweets) * coalesce(max(p.credits), 0), sum(s.tweets) * coalesce(max(p.dollars), 0)
			from closed s
			left join unnest($2::text[], $3::float8[], $4::float8[]) p (provider, dollars, credits) on p.provider = s.provider
			group by 1, 2, 3, 4, 5, 6
			on conflict (day, provider, zone_id, refresh, kind, key_client) do update set
				calls = l.calls + excluded.calls, tweets = l.tweets + excluded.tweets,
				credits = l.credits + excluded.credits, dollars = l.dollars + excluded.dollars
		)
		select count(*)::int4 from closed`
	providers, dollars, credits := s.options.Prices.columns()
	err = s.db.Transact(ctx, "close the books", func(ctx context.Context, t *postgres.Tx) error {
		entries = 0
		var free bool
		b := t.Group()
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(ledgerLock)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
		if err := t.Send(ctx, b); err != nil || !free {
			return err
		}
		b = t.Group()
		bill.QueueForget(b, before)
		budget.QueueForget(b, before)
		b.Queue(sql, before, providers, dollars, credits, billsLast).QueryRow(func(r pgx.Row) error { return r.Scan(&entries) })
		return t.Send(ctx, b)
	})
	return entries, err
}

// kindOf is the kind of an entry s of spending.
const kindOf = `coalesce(s.kind, case when s.refresh then 'refresh' else 'schedule' end)`

// spendingSince is all that was spent from a day on, booked or not.
const spendingSince = `
	select day, provider, zone_id, refresh, kind, key_client, sum(calls) calls, sum(tweets) tweets, sum(credits) credits, sum(dollars) dollars
	from (
		select day, provider, zone_id, refresh, kind, key_client, calls, tweets, credits, dollars from gorgone.ledger where day >= $1::date
		union all
		select (s.at at time zone 'UTC')::date, s.provider, coalesce(s.zone_id, '00000000-0000-0000-0000-000000000000'::uuid), s.refresh,
			` + kindOf + `, coalesce(s.key_client, '00000000-0000-0000-0000-000000000000'::uuid), s.calls, s.tweets, s.tweets * coalesce(p.credits, 0), s.tweets * coalesce(p.dollars, 0)
		from gorgone.spending s
		left join unnest($2::text[], $3::float8[], $4::float8[]) p (provider, dollars, credits) on p.provider = s.provider
		where s.at >= $1::date at time zone 'UTC'
	) l
	group by 1, 2, 3, 4, 5, 6`

// sharedOnly are the expenses e of the shared key. What clients' own keys cost is no money of
// the installation's.
const sharedOnly = `e.key_client = '00000000-0000-0000-0000-000000000000'`

// Expenses returns what was spent from the UTC day of from on, up to and with that
// of to, by day, provider, zone, kind and key. What was spent a moment ago is in it.
func (s *Store) Expenses(ctx context.Context, from, to time.Time) ([]Expense, error) {
	providers, dollars, credits := s.options.Prices.columns()
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, `select * from (`+spendingSince+`) e where e.day <= $5::date order by 1, 2, 3, 4, 5, 6`,
		utcDay(from), providers, dollars, credits, utcDay(to))
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e Expense, err error) {
		return e, r.Scan(&e.Day, &e.Provider, &e.Zone, &e.Refresh, &e.Kind, &e.Client, &e.Calls, &e.Tweets, &e.Credits, &e.Dollars)
	})
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	return list, nil
}

// utcDay returns the midnight at which the UTC day of t began.
func utcDay(t time.Time) time.Time { return engagement.UTCDay(t) }

// Balance is what was left in the account at a provider.
type Balance struct {
	Provider string
	At       time.Time // engine time
	Credits  float64
}

// RecordBalance records what a provider says is left in the account, beside the total
// of the ledger up to now. The total of the days before the last ones is that of the
// balance before: they are not added up again.
func (s *Store) RecordBalance(ctx context.Context, b Balance) error {
	const (
		selectBase = `
			select base_day, base from gorgone.balances
			where provider = $1::text and at <= $2::timestamptz and base_day <= $3::date
			order by at desc limit 1`
		insert = `
			insert into gorgone.balances (provider, at, credits, booked, base_day, base)
			select $5::text, $6::timestamptz, $7::float8, $8::float8 + coalesce(sum(e.credits), 0),
				$9::date, $8::float8 + coalesce(sum(e.credits) filter (where e.day < $9::date), 0)
			from (` + spendingSince + `) e where e.provider = $5::text and ` + sharedOnly + `
			on conflict (provider, at) do nothing`
	)
	providers, dollars, credits := s.options.Prices.columns()
	// Nothing is entered for a day that is over for two days.
	next := utcDay(b.At).AddDate(0, 0, -2)
	return s.db.Transact(ctx, "record the balance", func(ctx context.Context, t *postgres.Tx) error {
		var (
			from time.Time // the zero time is before all
			base float64
		)
		group := t.Group()
		group.Queue(selectBase, b.Provider, b.At, next).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&from, &base}, func() error { return nil })
			return err
		})
		if err := t.Send(ctx, group); err != nil {
			return err
		}
		group = t.Group()
		group.Queue(insert, from, providers, dollars, credits, b.Provider, b.At, b.Credits, base, next)
		return t.Send(ctx, group)
	})
}
