package history

import (
	"cmp"
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

// ExportPage is how many tweets [Archive.Export] reads at once.
const ExportPage = 100

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
// runs, so that a slow reader blocks nothing. A page is empty when its tweets have none
// in the range. What is written meanwhile may or may not be part of it.
func (a *Archive) Export(ctx context.Context, zone uuid.UUID, r Range, page func([]ExportRow) error) error {
	const tweets = `
		select w.id, w.tweet_id, w.twitter_created_at` + exported + `
		and (w.twitter_created_at, w.id) > ($3::timestamptz, $4::uuid)
		order by w.twitter_created_at, w.id limit $5::int4`
	from := r.begin()
	after := ExportRow{}
	for {
		batch, err := collectPage(ctx, a.db, tweets, scanExported, zone, from, after.Posted, after.Row, ExportPage)
		if err != nil {
			return fmt.Errorf("export zone %s: %w", zone, err)
		}
		if len(batch) == 0 {
			return nil
		}
		rows, err := a.exportTweets(ctx, batch, from, r.To)
		if err != nil {
			return fmt.Errorf("export zone %s: %w", zone, err)
		}
		if err := page(rows); err != nil {
			return err
		}
		if len(batch) < ExportPage {
			return nil
		}
		after = batch[len(batch)-1]
	}
}

// exported are the tweets of zone $1 that may have snapshots since $2.
const exported = `
		from public.twitter_tweets w
		left join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where w.zone_id = $1::uuid and (k.snapshot_at is null or k.snapshot_at >= $2::timestamptz)`

// begin is when the range begins.
func (r Range) begin() time.Time {
	if r.From.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return r.From
}

// Exported counts the tweets that [Archive.Export] goes through.
func (a *Archive) Exported(ctx context.Context, zone uuid.UUID, r Range) (tweets int, err error) {
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	if err := a.db.QueryRow(ctx, `select count(*)`+exported, zone, r.begin()).Scan(&tweets); err != nil {
		return 0, fmt.Errorf("count what an export of zone %s has: %w", zone, err)
	}
	return tweets, nil
}

func scanExported(r pgx.CollectableRow) (e ExportRow, err error) {
	err = r.Scan(&e.Row, &e.TweetID, &e.Posted)
	e.Posted = e.Posted.UTC()
	return e, err
}

// Lives calls page with all snapshots of some tweets, of which Row, TweetID and Posted are
// given: of 100 tweets at a time, each tweet's oldest first.
func (a *Archive) Lives(ctx context.Context, tweets []ExportRow, page func([]ExportRow) error) error {
	for batch := range slices.Chunk(tweets, ExportPage) {
		rows, err := a.exportTweets(ctx, batch, time.Unix(0, 0).UTC(), time.Time{})
		if err != nil {
			return fmt.Errorf("read the lives of tweets: %w", err)
		}
		if err := page(rows); err != nil {
			return err
		}
	}
	return nil
}

// exportTweets reads the snapshots of some tweets.
func (a *Archive) exportTweets(ctx context.Context, tweets []ExportRow, from, to time.Time) ([]ExportRow, error) {
	const snapshots = `
		select u.n::int4, h.snapshot_at, h.velocity, coalesce(h.provider, ''), h.provider_changed, coalesce(h.pushed, false),
			h.retweet_count, h.reply_count, h.like_count, h.quote_count, h.view_count, h.bookmark_count,
			h.delta_retweets, h.delta_replies, h.delta_likes, h.delta_quotes, h.delta_views
		from unnest($1::uuid[]) with ordinality u (id, n)
		join ` + postgres.Curve + ` h on h.tweet_id = u.id
		where h.tweet_id = any($1::uuid[]) and h.snapshot_at >= $2::timestamptz and h.snapshot_at < $3::timestamptz
		order by u.n, h.snapshot_at, h.id nulls last`
	ids := make([]uuid.UUID, len(tweets))
	for i, t := range tweets {
		ids[i] = t.Row
	}
	place := make(map[uuid.UUID]int, len(tweets))
	for i, t := range tweets {
		place[t.Row] = i
	}
	rows, err := readSpans(ctx, a, ids, Range{From: from, To: to}, false, snapshots, func(r pgx.CollectableRow) (ExportRow, error) {
		var (
			n      int
			c      postgres.Counts
			deltas [5]pgtype.Int4
			point  engagement.Snapshot
		)
		dest := append([]any{&n, &point.At, &point.Velocity, &point.Provider, &point.ProviderChanged, &point.Pushed}, c.Dest()...)
		for i := range deltas {
			dest = append(dest, &deltas[i])
		}
		if err := r.Scan(dest...); err != nil {
			return ExportRow{}, err
		}
		e := tweets[n-1]
		e.Snapshot = snapshotOf(point, c, deltas)
		return e, nil
	}, func([]ExportRow) bool { return false })
	slices.SortStableFunc(rows, func(a, b ExportRow) int { return cmp.Compare(place[a.Row], place[b.Row]) })
	return rows, err
}

func collectPage[T any](ctx context.Context, db *postgres.DB, sql string, scan pgx.RowToFunc[T], args ...any) ([]T, error) {
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}
