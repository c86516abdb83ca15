package report

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// UnusableRow is a tracking row that fell due and cannot be looked up.
type UnusableRow struct {
	Row     uuid.UUID // tweet_db_id
	TweetID *string   // nil: there is no such tweet
	Zone    *uuid.UUID
}

// String says which row it is and what is wrong with it.
func (u UnusableRow) String() string {
	switch {
	case u.TweetID == nil:
		return fmt.Sprintf("%s has no tweet", u.Row)
	case u.Zone == nil:
		return fmt.Sprintf("%s has no zone", u.Row)
	}
	return fmt.Sprintf("%s has the tweet_id %s", u.Row, strconv.QuoteToASCII(*u.TweetID))
}

// Unusable returns some of the rows that [Stats] counts as Unusable.
func (r *Reader) Unusable(ctx context.Context, limit int) ([]UnusableRow, error) {
	const sql = `
		select k.tweet_db_id, left(w.tweet_id, 40), w.zone_id
		from (
			select tweet_db_id from public.twitter_engagement_tracking
			where zone_id = $1::uuid and next_update_at is not null
			order by greatest(next_update_at, retry_at) limit $2::int4) k
		left join public.twitter_tweets w on w.id = k.tweet_db_id`
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	rows, err := r.db.Query(ctx, sql, uuid.Nil, limit)
	if err != nil {
		return nil, fmt.Errorf("read rows that cannot be looked up: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[UnusableRow])
	if err != nil {
		return nil, fmt.Errorf("read rows that cannot be looked up: %w", err)
	}
	return list, nil
}
