package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
)

// exportPage is how many tweets are read at once.
const exportPage = 100

// ExportRow is one snapshot in an export.
type ExportRow struct {
	Row      uuid.UUID
	TweetID  string
	Posted   time.Time
	Snapshot engagement.Snapshot
}

// Export calls page with the snapshots of a zone in a range, some at a time,
// tweet by tweet in the order in which they were posted, and each tweet's oldest
// first. It holds one page at a time, of 100 tweets, and no connection while page
// runs, so that a slow reader keeps nobody waiting. What is written meanwhile may
// or may not be part of it.
func (s *Store) Export(ctx context.Context, zone uuid.UUID, r HistoryRange, page func([]ExportRow) error) error {
	const tweets = `
		select w.id, w.tweet_id, w.twitter_created_at
		from public.twitter_tweets w
		left join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where w.zone_id = $1::uuid and (w.twitter_created_at, w.id) > ($2::timestamptz, $3::uuid)
		and (k.snapshot_at is null or k.snapshot_at >= $4::timestamptz)
		order by w.twitter_created_at, w.id limit $5::int4`
	from := r.From
	if from.IsZero() {
		from = time.Unix(0, 0).UTC()
	}
	after := ExportRow{}
	for {
		batch, err := collectPage(ctx, s.db, tweets, scanExported, zone, after.Posted, after.Row, from, exportPage)
		if err != nil {
			return fmt.Errorf("export zone %s: %w", zone, err)
		}
		if len(batch) == 0 {
			return nil
		}
		rows, err := s.exportTweets(ctx, batch, from, r.To)
		if err != nil {
			return fmt.Errorf("export zone %s: %w", zone, err)
		}
		if len(rows) > 0 {
			if err := page(rows); err != nil {
				return err
			}
		}
		if len(batch) < exportPage {
			return nil
		}
		after = batch[len(batch)-1]
	}
}

func scanExported(r pgx.CollectableRow) (e ExportRow, err error) {
	err = r.Scan(&e.Row, &e.TweetID, &e.Posted)
	e.Posted = e.Posted.UTC()
	return e, err
}

// exportTweets reads the snapshots of some tweets.
func (s *Store) exportTweets(ctx context.Context, tweets []ExportRow, from, to time.Time) ([]ExportRow, error) {
	const snapshots = `
		select u.n::int4, h.snapshot_at, h.engagement_velocity::float8, coalesce(h.provider, ''), h.provider_changed,
			h.retweet_count, h.reply_count, h.like_count, h.quote_count, h.view_count, h.bookmark_count,
			h.delta_retweets, h.delta_replies, h.delta_likes, h.delta_quotes, h.delta_views
		from unnest($1::uuid[]) with ordinality u (id, n)
		join public.twitter_engagement_history h on h.tweet_id = u.id
		where h.snapshot_at >= $2::timestamptz and h.snapshot_at < coalesce($3::timestamptz, 'infinity')
		order by u.n, h.snapshot_at, h.id`
	ids := make([]uuid.UUID, len(tweets))
	for i, t := range tweets {
		ids[i] = t.Row
	}
	return collectPage(ctx, s.db, snapshots, func(r pgx.CollectableRow) (ExportRow, error) {
		var (
			n      int
			c      counts
			deltas [5]pgtype.Int4
			point  engagement.Snapshot
		)
		dest := append([]any{&n, &point.At, &point.Velocity, &point.Provider, &point.ProviderChanged}, c.scan()...)
		for i := range deltas {
			dest = append(dest, &deltas[i])
		}
		if err := r.Scan(dest...); err != nil {
			return ExportRow{}, err
		}
		e := tweets[n-1]
		e.Snapshot = snapshotOf(point, c, deltas)
		return e, nil
	}, ids, from, nullTime(to))
}

func collectPage[T any](ctx context.Context, db *DB, sql string, scan pgx.RowToFunc[T], args ...any) ([]T, error) {
	ctx, cancel := db.bounded(ctx)
	defer cancel()
	rows, err := db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}
