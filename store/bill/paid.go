package bill

import (
	"context"
	"fmt"
	"time"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// Price returns the dollars that looking tweets up at a time would cost by a key at a provider
// that charges so, canaries aside.
func Price(ctx context.Context, db *postgres.DB, at time.Time, key string, charges engagement.Billing, tweets []string) (float64, error) {
	if !charges.DayPass {
		return charges.Call(len(tweets), 0), nil
	}
	paid, err := CountPaid(ctx, db, at, key, tweets)
	return charges.Call(len(tweets), paid), err
}

// CountPaid returns how many of the tweets a key was charged for on the UTC day of a time, where
// its provider charges for a tweet once a day.
func CountPaid(ctx context.Context, db *postgres.DB, at time.Time, key string, tweets []string) (paid int, err error) {
	const count = `
		select count(*)::int4 from gorgone.day_passes
		where day = $1::date and key_id = $2::text and tweet_id = any($3::text[]::int8[])`
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	if err := db.QueryRow(ctx, count, engagement.UTCDay(at), key, tweets).Scan(&paid); err != nil {
		return 0, fmt.Errorf("count the tweets that were charged for today: %w", err)
	}
	return paid, nil
}
