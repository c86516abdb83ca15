package store

import (
	"context"
	"fmt"
	"time"
)

// Budget bounds what look-ups may cost, in dollars. 0 is no bound. Day and Month
// are for what the schedule looks up; refreshes that people ask for have their own.
type Budget struct {
	Day, Month, RefreshDay float64
}

// Spent is what was spent lately, in dollars, and what may be.
type Spent struct {
	At     time.Time // engine time
	Budget Budget

	Today, Month               float64 // on what the schedule looks up
	RefreshToday, RefreshMonth float64
}

// UsedToday returns the share of the schedule's budget of the day that is used up;
// 0 without one. It may exceed 1 by what was in flight.
func (s Spent) UsedToday() float64 { return portion(s.Today, s.Budget.Day) }

// UsedThisMonth returns the share of the schedule's budget of the month that is
// used up.
func (s Spent) UsedThisMonth() float64 { return portion(s.Month, s.Budget.Month) }

// Used returns the larger of the two.
func (s Spent) Used() float64 { return max(s.UsedToday(), s.UsedThisMonth()) }

// UsedRefreshes returns the share of the refreshes' budget that is used up.
func (s Spent) UsedRefreshes() float64 { return portion(s.RefreshToday, s.Budget.RefreshDay) }

// Exhausted tells which budget of the schedule is used up, and when the next one
// begins; "" when none is.
func (s Spent) Exhausted() (which string, until time.Time) {
	day := utcDay(s.At)
	switch {
	case s.Budget.Month > 0 && s.Month >= s.Budget.Month:
		return "this month's budget", monthOf(s.At).AddDate(0, 1, 0)
	case s.Budget.Day > 0 && s.Today >= s.Budget.Day:
		return "today's budget", day.AddDate(0, 0, 1)
	default:
		return "", time.Time{}
	}
}

// Pressure is what [engagement.Thrift] goes by: the share of a budget that is used
// up, where that is more than the part of the day or month that has passed; else 0.
// Spending as planned is no reason to save.
func (s Spent) Pressure() float64 {
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

// spentLately is what was spent when that was last read, half a minute ago at most.
func (s *Store) spentLately() Spent {
	s.policies.mu.RLock()
	defer s.policies.mu.RUnlock()
	return s.policies.spent
}

// Spent reads what was spent today and this month.
func (s *Store) Spent(ctx context.Context) (Spent, error) {
	const sql = `
		select
			coalesce(sum(dollars) filter (where not refresh and day = $5::date), 0),
			coalesce(sum(dollars) filter (where not refresh), 0),
			coalesce(sum(dollars) filter (where refresh and day = $5::date), 0),
			coalesce(sum(dollars) filter (where refresh), 0)
		from (` + spendingSince + `) e`
	spent := Spent{At: s.clock.Now(), Budget: s.options.Budget}
	providers, dollars, credits := s.options.Prices.columns()
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	err := s.db.pool.QueryRow(ctx, sql, monthOf(spent.At), providers, dollars, credits, utcDay(spent.At)).
		Scan(&spent.Today, &spent.Month, &spent.RefreshToday, &spent.RefreshMonth)
	if err != nil {
		return Spent{}, fmt.Errorf("read what was spent: %w", err)
	}
	return spent, nil
}
