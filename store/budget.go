package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store/budget"
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

// canaryEvery is how many tweets at least share a canary, which is billed too: the
// smallest limit of ids a call of any provider.
const canaryEvery = 50

// mostBilled returns the most tweets that look-ups of tweets in batches are billed for: a
// canary a call at most, of which each batch has one that is not full.
func mostBilled(tweets, batches int) int { return tweets + batches + tweets/canaryEvery }

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

// affordable returns how many tweets may be claimed, in batches of the given size, so that
// they cost no more than the budget has left, their canaries included; the last tweet that
// it buys is claimed nevertheless, so that at most one canary is over it.
func (s *Store) affordable(spent Spending, batchTweets int) int {
	price, left := s.dearest(), spent.left()
	if price <= 0 || left >= price*float64(mostBilled(math.MaxInt32, math.MaxInt32)) {
		return math.MaxInt32
	}
	billed := int(left/price + 1e-6) // what was added up in floating point may lack a trace
	n := sort.Search(billed, func(n int) bool {
		return mostBilled(n+1, (n+batchTweets)/batchTweets) > billed
	})
	return max(n, min(billed, 1))
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

// selectCommitted counts what was claimed, or asked for, and is not answered. A claim may
// be answered for some time after its lease.
const selectCommitted = `
	select
		(select coalesce(sum(ceil(tweets * open_rows / rows::float8)), 0)::int8 from gorgone.batches
			where done_at is null and claimed_until > $2::timestamptz),
		(select count(*) from gorgone.batches where done_at is null and claimed_until > $2::timestamptz),
		(select count(distinct tweet_id) from gorgone.refresh_requests where closed_at is null and deadline > $1::timestamptz)`

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
		from (` + spendingSince + `) e`
	spent.Price = s.dearest()
	b.Queue(selectCommitted, spent.At, spent.At.Add(-s.clock.Engine(writeLate))).QueryRow(func(r pgx.Row) error {
		var tweets, batches, refreshes int
		err := r.Scan(&tweets, &batches, &refreshes)
		spent.Committed = s.dearest() * float64(mostBilled(tweets, batches))
		spent.RefreshCommitted = s.dearest() * float64(mostBilled(refreshes, refreshes))
		return err
	})
	s.queueReadAside(b, spent)
	providers, dollars, credits := s.options.Prices.columns()
	b.Queue(selectSpent, monthOf(spent.At), providers, dollars, credits, utcDay(spent.At)).QueryRow(func(r pgx.Row) error {
		return r.Scan(&spent.Today, &spent.Month, &spent.RefreshToday, &spent.RefreshMonth)
	})
}

// refreshBudgetLock lets one refresh at a time be held against the budget ("refr" in
// hexadecimal ASCII).
const refreshBudgetLock = 0x72656672

// withinRefreshBudget returns a [LimitError] if the day's budget of refreshes does not buy
// another one. Until the end of the transaction no other refresh is held against it.
func (s *Store) withinRefreshBudget(ctx context.Context, t *postgres.Tx, now time.Time) error {
	if s.options.Budget.RefreshDay <= 0 {
		return nil
	}
	spent := Spending{At: now, Budget: s.options.Budget}
	b := t.Group()
	b.Queue(`select pg_advisory_xact_lock($1::int8)`, int64(refreshBudgetLock))
	s.queueReadSpending(b, &spent)
	if err := t.Send(ctx, b); err != nil {
		return fmt.Errorf("read what refreshes have cost: %w", err)
	}
	which, until := spent.shortOfRefreshes(s.dearest())
	if which == "" {
		return nil
	}
	return &LimitError{After: s.clock.Real(until.Sub(now)), Reason: which + " is used up", Budget: true}
}
