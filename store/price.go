package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
	"gorgone/store/purchase"
)

// adjustEvery is the least engine time between two moves of the price.
const adjustEvery = 5 * time.Minute

// priceLock lets one process move the price at a time ("price" in hexadecimal
// ASCII).
const priceLock = 0x7072696365

// AdjustPrice moves the price of a look so that spending meets the budget of the
// day, or of what is left of the month, or so that an engagement is seen in time
// (see [engagement.Budget]). It does nothing while another process does, sooner
// than five minutes after the last move, and without a budget or a target.
func (s *Store) AdjustPrice(ctx context.Context) error {
	spent, err := s.Spending(ctx)
	if err != nil {
		return err
	}
	budget := engagement.Budget{PerDay: spent.plannable(), Delay: s.options.TargetDelay}
	if s.dayPass() && budget.Delay <= 0 {
		budget.MinPrice = engagement.MinDayPrice
	}
	if budget.PerDay <= 0 && budget.Delay <= 0 {
		return nil
	}
	if err := s.readPolicies(ctx, false); err != nil {
		return err
	}
	return s.db.Transact(ctx, "adjust the price", func(ctx context.Context, t *postgres.Tx) error {
		var free bool
		var last pricePoint
		b := t.Group()
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(priceLock)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
		b.Queue(`select price, adjusted_at, spent_today from gorgone.look_price`).QueryRow(func(r pgx.Row) error {
			err := r.Scan(&last.price, &last.at, &last.spentToday)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			return err
		})
		if err := t.Send(ctx, b); err != nil || !free {
			return err
		}
		// A price that a clock ahead of its time has moved is moved again.
		if age := spent.At.Sub(last.at); age >= 0 && age < adjustEvery {
			return nil
		}
		next, err := s.nextPrice(ctx, t, budget, last, spent)
		if err != nil {
			return err
		}
		b = t.Group()
		b.Queue(`
			insert into gorgone.look_price (price, adjusted_at, spent_today) values ($1::float8, $2::timestamptz, $3::float8)
			on conflict (only_row) do update set price = excluded.price, adjusted_at = excluded.adjusted_at, spent_today = excluded.spent_today`,
			next, spent.At, spent.Today)
		return t.Send(ctx, b)
	})
}

// pricePoint is the price as it was last moved.
type pricePoint struct {
	price      float64
	at         time.Time // zero: never
	spentToday float64   // dollars, then
}

// nextPrice returns the price for the coming period.
func (s *Store) nextPrice(ctx context.Context, t *postgres.Tx, budget engagement.Budget, last pricePoint, spent Spending) (float64, error) {
	reading := engagement.BudgetUsage{Now: spent.At, DayStart: utcDay(spent.At), SpentToday: spent.Today}
	if last.at.IsZero() || budget.Delay > 0 || s.dayPass() {
		sample, err := s.sample(ctx, t)
		if err != nil {
			return 0, err
		}
		if last.at.IsZero() && budget.Delay <= 0 {
			look := s.dollarsPerLookup()
			if look <= 0 || sample.Live() == 0 {
				return s.options.Price, nil
			}
			return max(engagement.PriceFor(budget.PerDay/24/look, sample.Outlook), budget.MinPrice), nil
		}
		reading.Outlook, reading.Rate = sample.Outlook(max(last.price, 1e-6)), sample.Rate()
		if s.dayPass() {
			reading.Projected = reading.Outlook.Paid * 24 * s.dollarsPerLookup()
		}
		if last.at.IsZero() {
			return s.options.Price, nil
		}
	}
	reading.Period = spent.At.Sub(last.at)
	reading.Spent = spent.Today - last.spentToday
	if utcDay(last.at) != utcDay(spent.At) {
		// The books of yesterday are closed: the period is cut at midnight.
		reading.Spent, reading.Period = spent.Today, spent.At.Sub(utcDay(spent.At))
	}
	if reading.Period <= 0 {
		return last.price, nil
	}
	return budget.Adjust(last.price, reading), nil
}

// plannable is what may be spent today: the day's budget, or an even share of what
// is left of the month's if that is less; 0 without a budget.
func (s Spending) plannable() float64 {
	day := s.Budget.Day
	if s.Budget.Month > 0 {
		ends := monthOf(s.At).AddDate(0, 1, 0)
		days := ends.Sub(utcDay(s.At)).Hours() / 24
		even := max(s.Budget.Month-(s.Month-s.Today), 0) / days
		if day <= 0 || even < day {
			day = even
		}
	}
	return day
}

// dollarsPerLookup is what the main provider charges for a look-up that is paid.
func (s *Store) dollarsPerLookup() float64 { return s.options.Prices[s.options.Provider].Dollars }

// Purchases estimates what other budgets would buy.
func (s *Store) Purchases(ctx context.Context) (purchase.Choices, error) {
	if err := s.readPolicies(ctx, false); err != nil {
		return purchase.Choices{}, err
	}
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	var sample purchase.Sample
	err := s.db.Transact(ctx, "estimate purchases", func(ctx context.Context, t *postgres.Tx) (err error) {
		sample, err = s.sample(ctx, t)
		return err
	})
	if err != nil || sample.Live() == 0 {
		return purchase.Choices{}, err
	}
	price, adjusted := s.options.Price, time.Time{}
	err = s.db.QueryRow(ctx, `select price, adjusted_at from gorgone.look_price`).Scan(&price, &adjusted)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return purchase.Choices{}, fmt.Errorf("read the price of a look: %w", err)
	}
	return sample.Choices(price, s.dollarsPerLookup(), adjusted), nil
}

// sampleRows is about how many rows a sample reads.
const sampleRows = 5000

// sample reads some of the live rows: all of a small table, whole pages of a large
// one. The policies must have been read.
func (s *Store) sample(ctx context.Context, t *postgres.Tx) (purchase.Sample, error) {
	const selectSample = `
		select w.zone_id, w.tweet_id, w.twitter_created_at,
			w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count, k.activity, k.activity_state
		from public.twitter_engagement_tracking k tablesample system ($1::float4)
		join public.twitter_tweets w on w.id = k.tweet_db_id
		where k.next_update_at is not null`
	// Where a tweet is charged for once a day, its first day is paid for whatever the price.
	const countYoung = `
		select count(*)::float8 from public.twitter_engagement_tracking k tablesample system ($1::float4)
		join public.twitter_tweets w on w.id = k.tweet_db_id
		where w.twitter_created_at > $2::timestamptz`
	var estimate int64
	b := t.Group()
	b.Queue(postgres.EstimateRows).QueryRow(func(r pgx.Row) error { return r.Scan(&estimate) })
	if err := t.Send(ctx, b); err != nil {
		return purchase.Sample{}, fmt.Errorf("sample rows: %w", err)
	}
	percent := min(100, 100*sampleRows/max(float64(estimate), 1))
	drawn := purchase.Sample{At: s.clock.Now(), Scale: 100 / percent, Policy: s.adaptive}
	b = t.Group()
	b.Queue(selectSample, percent).Query(func(rows pgx.Rows) error { return s.scanSample(rows, &drawn) })
	if s.dayPass() {
		b.Queue(countYoung, percent, drawn.At.AddDate(0, 0, -1)).QueryRow(func(r pgx.Row) error {
			err := r.Scan(&drawn.Firsts)
			drawn.Firsts *= drawn.Scale / 24
			return err
		})
	}
	if err := t.Send(ctx, b); err != nil {
		return purchase.Sample{}, fmt.Errorf("sample rows: %w", err)
	}
	return drawn, nil
}

func (s *Store) scanSample(rows pgx.Rows, drawn *purchase.Sample) error {
	var (
		zone     uuid.UUID
		tweet    engagement.Tracking
		c        postgres.Counts
		estimate postgres.StoredActivity
	)
	_, err := pgx.ForEachRow(rows, append(append([]any{&zone, &tweet.TweetID, &tweet.CreatedAt}, c.Dest()...), estimate.Dest()...), func() error {
		t := tweet
		t.Metrics = c.Metrics()
		t.Activity = estimate.Activity()
		drawn.Add(t, s.policyOf(zone).model)
		return nil
	})
	return err
}
