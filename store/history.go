package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
)

// HistoryRange selects a part of a tweet's history. The zero value is all of it.
type HistoryRange struct {
	From  time.Time // inclusive; zero: from the beginning
	To    time.Time // exclusive; zero: to the end
	Limit int       // the latest so many; 0: no limit
}

// History returns the snapshots of a row, oldest first. A row that does not
// exist has none; see [Store.FindTweet].
func (s *Store) History(ctx context.Context, row uuid.UUID, r HistoryRange) ([]engagement.Snapshot, error) {
	const sql = `
		select snapshot_at, engagement_velocity::float8, coalesce(provider, ''), provider_changed,
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views
		from public.twitter_engagement_history
		where tweet_id = $1::uuid
		and snapshot_at >= coalesce($2::timestamptz, '-infinity')
		and snapshot_at < coalesce($3::timestamptz, 'infinity')
		order by snapshot_at desc, id desc
		limit $4::int4`
	var limit *int
	if r.Limit > 0 {
		limit = &r.Limit
	}
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql, row, nullTime(r.From), nullTime(r.To), limit)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", row, err)
	}
	points, err := pgx.CollectRows(rows, scanSnapshot)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", row, err)
	}
	slices.Reverse(points)
	return points, nil
}

func scanSnapshot(r pgx.CollectableRow) (engagement.Snapshot, error) {
	var (
		s      engagement.Snapshot
		c      counts
		deltas [5]pgtype.Int4
	)
	dest := append([]any{&s.At, &s.Velocity, &s.Provider, &s.ProviderChanged}, c.scan()...)
	for i := range deltas {
		dest = append(dest, &deltas[i])
	}
	if err := r.Scan(dest...); err != nil {
		return s, err
	}
	return snapshotOf(s, c, deltas), nil
}

// snapshotOf completes a snapshot, of which the rest was read, with its counts and
// deltas.
func snapshotOf(s engagement.Snapshot, c counts, deltas [5]pgtype.Int4) engagement.Snapshot {
	s.At = s.At.UTC()
	s.Metrics = c.metrics()
	s.Deltas = engagement.Deltas{
		Retweets: known(deltas[0]), Replies: known(deltas[1]), Likes: known(deltas[2]),
		Quotes: known(deltas[3]), Views: known(deltas[4]),
	}
	return s
}
