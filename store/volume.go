package store

import (
	"context"
	"fmt"
	"time"
)

// Volume is how many rows were tracked over a time, and how often they were looked
// at.
type Volume struct {
	Tracked   int     // rows whose tracking began
	PerTweet  float64 // looks a row of those that have gone cold since; 0: none has
	ColdAfter int     // rows among Tracked that have gone cold
}

// Volume counts the rows whose tracking began between two engine times. It reads
// the whole tracking table.
func (s *Store) Volume(ctx context.Context, from, to time.Time) (Volume, error) {
	const sql = `
		select count(*)::int4, coalesce(avg(update_count) filter (where next_update_at is null), 0)::float8,
			(count(*) filter (where next_update_at is null))::int4
		from public.twitter_engagement_tracking
		where created_at >= $1::timestamptz and created_at < $2::timestamptz`
	var v Volume
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	if err := s.db.pool.QueryRow(ctx, sql, from, to).Scan(&v.Tracked, &v.PerTweet, &v.ColdAfter); err != nil {
		return Volume{}, fmt.Errorf("count what is tracked: %w", err)
	}
	return v, nil
}
