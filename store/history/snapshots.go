package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// Range selects a part of a tweet's history. The zero value is all of it.
type Range struct {
	From  time.Time // inclusive; zero: from the beginning
	To    time.Time // exclusive; zero: to the end
	Limit int       // the latest so many; 0: no limit
}

// History returns the snapshots of a row, oldest first. Of a stretch of look-ups that found
// the same counts it has both ends, and the first of each day (UTC). A row that does not
// exist has none; see [Store.FindTweet].
func (a *Archive) History(ctx context.Context, row uuid.UUID, r Range) ([]engagement.Snapshot, error) {
	const sql = `
		select snapshot_at, velocity, coalesce(provider, ''), provider_changed, coalesce(pushed, false),
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views
		from ` + postgres.Curve + ` c
		where tweet_id = any($1::uuid[])
		and snapshot_at >= $2::timestamptz and snapshot_at < $3::timestamptz
		order by snapshot_at desc, id desc nulls first
		limit $4::int4`
	var limit *int
	if r.Limit > 0 {
		limit = &r.Limit
	}
	enough := func(points []engagement.Snapshot) bool { return r.Limit > 0 && len(points) >= r.Limit }
	points, err := readSpans(ctx, a, []uuid.UUID{row}, r, true, sql, scanSnapshot, enough, limit)
	if err != nil {
		return nil, fmt.Errorf("read the history of %s: %w", row, err)
	}
	if r.Limit > 0 && len(points) > r.Limit {
		points = points[:r.Limit]
	}
	slices.Reverse(points)
	return points, nil
}

func scanSnapshot(r pgx.CollectableRow) (engagement.Snapshot, error) {
	var (
		s      engagement.Snapshot
		c      postgres.Counts
		deltas [5]pgtype.Int4
	)
	dest := append([]any{&s.At, &s.Velocity, &s.Provider, &s.ProviderChanged, &s.Pushed}, c.Dest()...)
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
func snapshotOf(s engagement.Snapshot, c postgres.Counts, deltas [5]pgtype.Int4) engagement.Snapshot {
	s.At = s.At.UTC()
	s.Metrics = c.Metrics()
	s.Deltas = engagement.Deltas{
		Retweets: postgres.Known(deltas[0]), Replies: postgres.Known(deltas[1]), Likes: postgres.Known(deltas[2]),
		Quotes: postgres.Known(deltas[3]), Views: postgres.Known(deltas[4]),
	}
	return s
}
