package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/budget"
	"gorgone/store/keys"
	"gorgone/store/postgres"
)

// Budget bounds what look-ups may cost, in dollars. 0 is no bound. Day and Month
// are for what the schedule looks up; refreshes that people ask for have their own.
type Budget struct {
	Day, Month, RefreshDay float64
}

// Spending is what was spent lately, in dollars, and what may be.
type Spending struct {
	At     time.Time // engine time
	Budget Budget

	Price float64 // of a look-up at the dearest provider

	Today, Month               float64 // on what the schedule looks up
	RefreshToday, RefreshMonth float64

	// Committed is what the tweets will cost that are claimed and not answered yet, and
	// RefreshCommitted what the refreshes will that are asked for and not answered.
	Committed, RefreshCommitted float64

	// LostToday, LostMonth and RefreshLost (today) are what calls may have cost whose
	// answers were lost. The ledger does not have it; the budget does.
	LostToday, LostMonth, RefreshLost float64
}

// UsedToday returns the share of the schedule's budget of the day that is used up;
// 0 without one. It may exceed 1 by what was in flight.
func (s Spending) UsedToday() float64 { return portion(s.Today, s.Budget.Day) }

// UsedThisMonth returns the share of the schedule's budget of the month that is
// used up.
func (s Spending) UsedThisMonth() float64 { return portion(s.Month, s.Budget.Month) }

// Used returns the larger of the two.
func (s Spending) Used() float64 { return max(s.UsedToday(), s.UsedThisMonth()) }

// UsedRefreshes returns the share of the refreshes' budget that is used up.
func (s Spending) UsedRefreshes() float64 { return portion(s.RefreshToday, s.Budget.RefreshDay) }

// Limits returns the budgets that are set, each with what counts as spent of it: that of
// the month, of the day, and of the day's refreshes.
func (s Spending) Limits() []budget.Limit {
	month, day := monthOf(s.At).AddDate(0, 1, 0), utcDay(s.At).AddDate(0, 0, 1)
	all := []budget.Limit{
		{Period: "month", Dollars: s.Budget.Month, Spent: s.Month + s.LostMonth, Committed: s.Committed, Price: s.Price, Next: month},
		{Period: "day", Dollars: s.Budget.Day, Spent: s.Today + s.LostToday, Committed: s.Committed, Price: s.Price, Next: day},
		{
			Period: budget.RefreshPeriod, Dollars: s.Budget.RefreshDay, Spent: s.RefreshToday + s.RefreshLost,
			Committed: s.RefreshCommitted, Price: s.Price, Next: day,
		},
	}
	return slices.DeleteFunc(all, func(l budget.Limit) bool { return l.Dollars <= 0 })
}

// Exhausted tells which budget of the schedule does not buy another look-up, and when the
// next one begins; "" when each does.
func (s Spending) Exhausted() (which string, until time.Time) { return s.short(s.Price) }

// short tells which budget of the schedule does not have a number of dollars left.
func (s Spending) short(dollars float64) (which string, until time.Time) {
	return s.lacking(dollars, false)
}

// shortOfRefreshes is short for the budget of refreshes.
func (s Spending) shortOfRefreshes(dollars float64) (which string, until time.Time) {
	return s.lacking(dollars, true)
}

func (s Spending) lacking(dollars float64, refresh bool) (which string, until time.Time) {
	for _, l := range s.Limits() {
		if l.Refreshes() == refresh && l.Lacks(dollars) {
			return l.String(), l.Next
		}
	}
	return "", time.Time{}
}

// left returns the dollars that the schedule may still commit; infinity without a budget.
func (s Spending) left() float64 {
	left := math.Inf(1)
	if s.Budget.Day > 0 {
		left = min(left, s.Budget.Day-s.Today-s.LostToday-s.Committed)
	}
	if s.Budget.Month > 0 {
		left = min(left, s.Budget.Month-s.Month-s.LostMonth-s.Committed)
	}
	return max(left, 0)
}

// dearest is what a tweet may cost: the price of the dearer of the providers that may be
// asked.
func (s *Store) dearest() (dollars float64) {
	o := s.options
	for name, p := range o.Prices {
		if o.Provider == "" || name == o.Provider || name == o.Fallback {
			dollars = max(dollars, p.Dollars)
		}
	}
	return dollars
}

// Pressure is what [engagement.BudgetControl] goes by: the share of a budget that is used
// up, where that is more than the part of the day or month that has passed; else 0.
// Spending as planned is no reason to save.
func (s Spending) Pressure() float64 {
	month := monthOf(s.At)
	ahead := func(used float64, began, ends time.Time) float64 {
		if used <= float64(s.At.Sub(began))/float64(ends.Sub(began)) {
			return 0
		}
		return used
	}
	return max(
		ahead(s.UsedToday(), utcDay(s.At), utcDay(s.At).AddDate(0, 0, 1)),
		ahead(s.UsedThisMonth(), month, month.AddDate(0, 1, 0)),
	)
}

func portion(spent, budget float64) float64 {
	if budget <= 0 {
		return 0
	}
	return spent / budget
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// Spending reads what was spent today and this month.
func (s *Store) Spending(ctx context.Context) (Spending, error) {
	spent := Spending{At: s.clock.Now(), Budget: s.options.Budget}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	if err := s.db.Send(ctx, func(b *pgx.Batch) { s.queueReadSpending(b, &spent) }); err != nil {
		return Spending{}, fmt.Errorf("read what was spent: %w", err)
	}
	return spent, nil
}

// selectCommitted counts what was claimed, or asked for, by the shared key, and is not answered. A claim may
// be answered for some time after its lease.
const selectCommitted = `
	select
		(select coalesce(sum(ceil(tweets * open_rows / rows::float8)), 0)::int8 from gorgone.batches
			where done_at is null and claimed_until > $2::timestamptz and key_client is null),
		(select count(*) from gorgone.batches where done_at is null and claimed_until > $2::timestamptz and key_client is null),
		(select count(distinct tweet_id) from gorgone.refresh_requests where closed_at is null and deadline > $1::timestamptz and key_client is null)`

// writeLate is how long after the end of its lease, in real time, a claim that is not
// answered counts as spent: its answer may be kept by a worker until it can be written.
const writeLate = 15 * time.Minute

// queueReadSpending adds the statements that read what was spent and what is committed at
// spent.At. What is spent is read last: an answer that is written meanwhile, which moves
// money from the one to the other, is then seen in both rather than in neither.
func (s *Store) queueReadSpending(b *pgx.Batch, spent *Spending) {
	const selectSpent = `
		select
			coalesce(sum(dollars) filter (where not refresh and day = $5::date), 0),
			coalesce(sum(dollars) filter (where not refresh), 0),
			coalesce(sum(dollars) filter (where refresh and day = $5::date), 0),
			coalesce(sum(dollars) filter (where refresh), 0)
		from (` + spendingSince + `) e where ` + sharedOnly
	spent.Price = s.dearest()
	b.Queue(selectCommitted, spent.At, spent.At.Add(-s.clock.Engine(writeLate))).QueryRow(func(r pgx.Row) error {
		var tweets, batches, refreshes int
		err := r.Scan(&tweets, &batches, &refreshes)
		spent.Committed = s.dearest() * float64(budget.MostBilled(tweets, batches))
		spent.RefreshCommitted = s.dearest() * float64(budget.MostBilled(refreshes, refreshes))
		return err
	})
	s.queueReadAside(b, spent)
	providers, dollars, credits := s.options.Prices.columns()
	b.Queue(selectSpent, monthOf(spent.At), providers, dollars, credits, utcDay(spent.At)).QueryRow(func(r pgx.Row) error {
		return r.Scan(&spent.Today, &spent.Month, &spent.RefreshToday, &spent.RefreshMonth)
	})
}

// mayShare reports whether look-ups for a zone may be made with the shared key.
func (s *Store) mayShare(zone uuid.UUID) bool { return s.keys().MayPay(zone, keys.Shared) }

// KeyOwner returns the client whose own key looks a zone up, or did; own is false for all other
// zones. It is told as it was last read.
func (s *Store) KeyOwner(zone uuid.UUID) (owner keys.Owner, own bool) {
	owner, own = s.keys()[zone]
	return owner, own
}

// keys returns the zones of clients with keys of their own, as they were last read.
func (s *Store) keys() keys.Zones {
	s.policies.mu.RLock()
	defer s.policies.mu.RUnlock()
	return s.policies.keys
}

// tenants returns the caps of zones and clients as they were last read.
func (s *Store) tenants() *budget.Tenants {
	s.policies.mu.RLock()
	defer s.policies.mu.RUnlock()
	return s.policies.tenants
}

// Tenants returns the zones and clients that have caps or weights, as they are set now, with
// what counts as spent by them.
func (s *Store) Tenants(ctx context.Context) ([]budget.State, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	var (
		tenants budget.Tenants
		books   budget.Books
		now     = s.clock.Now()
	)
	err := s.db.Send(ctx, func(b *pgx.Batch) { budget.QueueRead(b, &tenants) })
	if err == nil {
		err = s.db.Send(ctx, func(b *pgx.Batch) { tenants.QueueBooks(b, s.ledgerOf(now), &books) })
	}
	if err != nil {
		return nil, fmt.Errorf("read the caps of zones and clients: %w", err)
	}
	return tenants.States(books, s.dearest(), now), nil
}

// ledgerOf says how the books of zones with caps are read at a time.
func (s *Store) ledgerOf(now time.Time) budget.Ledger {
	providers, dollars, credits := s.options.Prices.columns()
	return budget.Ledger{
		Now: now, Tweet: s.dearest(), Open: now.Add(-s.clock.Engine(writeLate)),
		SQL: spendingSince, Args: []any{monthOf(now), providers, dollars, credits},
	}
}

// refreshBudgetLock lets one refresh at a time be held against the budget ("refr" in
// hexadecimal ASCII).
const refreshBudgetLock = 0x72656672

// withinRefreshBudget returns a [LimitError] if the day's budget of refreshes, or a cap of
// the zone that one is asked for in, does not buy another one. Until the end of the
// transaction no other refresh is held against them.
func (s *Store) withinRefreshBudget(ctx context.Context, t *postgres.Tx, zone uuid.UUID, now time.Time) error {
	tenants := s.tenants()
	bounded := s.options.Budget.RefreshDay > 0 && s.mayShare(zone)
	if !bounded && !tenants.Bound(zone) {
		return nil
	}
	var books budget.Books
	spent := Spending{At: now, Budget: s.options.Budget}
	b := t.Group()
	b.Queue(`select pg_advisory_xact_lock($1::int8)`, int64(refreshBudgetLock))
	s.queueReadSpending(b, &spent)
	if tenants.Bound(zone) {
		tenants.QueueCommit(b, s.ledgerOf(now), &books)
	}
	if err := t.Send(ctx, b); err != nil {
		return fmt.Errorf("read what refreshes have cost: %w", err)
	}
	if which, until := spent.shortOfRefreshes(s.dearest()); bounded && which != "" {
		return &LimitError{After: s.clock.Real(until.Sub(now)), Reason: which + " is used up", Budget: true}
	}
	return s.overCap(tenants, books, zone, s.dearest(), true, now)
}

// overCap returns a [LimitError] if a cap of a zone does not have so many dollars.
func (s *Store) overCap(tenants *budget.Tenants, books budget.Books, zone uuid.UUID, dollars float64, refresh bool, now time.Time) error {
	short := tenants.Short(books, zone, dollars, refresh, now)
	if short == nil {
		return nil
	}
	return &LimitError{After: s.clock.Real(short.Until.Sub(now)), Reason: short.String(), Budget: true, Cap: short}
}
