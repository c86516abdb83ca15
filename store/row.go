package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
	"gorgone/store/curve"
	"gorgone/store/postgres"
)

// row is a tracked tweet as it was read under lock.
type row struct {
	id       uuid.UUID // of twitter_tweets
	zone     uuid.UUID
	tweetID  string
	claim    uuid.NullUUID // not read by lockClaimed
	usual    bool          // the provider is lockClaimed's usual one, and not in tracking
	tracking engagement.Tracking
}

// trackingColumns are the columns of tracking (as k) that scanTracking reads, but for the
// claim and the provider, which stand before them. What is 0 or false on nearly every row
// is sent as null, which is shorter.
const trackingColumns = `
	k.tweet_db_id, k.tier, k.last_updated_at, k.next_update_at, coalesce(k.update_count, 0),
	k.retry_at, nullif(k.attempts, 0), nullif(k.misses, 0), nullif(k.doubts, 0), k.last_missed_at, coalesce(k.gone_reason, ''),
	k.snapshot_at, k.snapshot_retweets, k.snapshot_replies, k.snapshot_likes,
	k.snapshot_quotes, k.snapshot_views, k.snapshot_bookmarks,
	nullif(k.unrecorded_at = k.snapshot_at, false), k.activity, k.activity_state, k.gap`

// trackingRow are all columns that scanTracking reads. A provider that is null is the one
// that the reader knows of, see lockClaimed.
const trackingRow = `k.claim_id, coalesce(k.snapshot_provider, ''), ` + trackingColumns

func scanTracking(rows pgx.CollectableRow) (*row, error) {
	var (
		r                                         row
		tier                                      string
		observed, next, retry, missed, snapshotAt *time.Time
		provider                                  pgtype.Text
		attempts, misses, doubts                  pgtype.Int4
		unrecorded                                pgtype.Bool
		snapshot                                  postgres.Counts
	)
	t := &r.tracking
	dest := append([]any{
		&r.claim, &provider, &r.id, &tier, &observed, &next, &t.UpdateCount,
		&retry, &attempts, &misses, &doubts, &missed, &t.GoneReason, &snapshotAt,
	}, snapshot.Dest()...)
	var estimate postgres.StoredActivity
	var gap *engagement.Gap
	dest = append(append(append(dest, &unrecorded), estimate.Dest()...), &gap)
	if err := rows.Scan(dest...); err != nil {
		return nil, err
	}
	r.usual, t.Provider, t.Unrecorded = !provider.Valid, provider.String, unrecorded.Bool
	t.Attempts, t.Misses, t.Doubts = int(attempts.Int32), int(misses.Int32), int(doubts.Int32)
	t.Activity = estimate.Activity()
	if gap != nil {
		t.Gap = *gap
	}
	t.Tier = engagement.Tier(tier)
	t.ObservedAt, t.NextUpdateAt = postgres.TimeOf(observed), postgres.TimeOf(next)
	t.RetryAt, t.LastMissedAt = postgres.TimeOf(retry), postgres.TimeOf(missed)
	t.SnapshotAt, t.Snapshot = postgres.TimeOf(snapshotAt), snapshot.Metrics()
	return &r, nil
}

// tweetColumns are the columns of twitter_tweets (as w) that scanTweet reads.
const tweetColumns = `
	w.id, w.zone_id, w.tweet_id, ` + tweetRest

// tweetRest are those that an answer to a claim needs to read.
const tweetRest = `w.twitter_created_at,
	w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count`

func scanTweet(rows pgx.CollectableRow) (row, error) {
	var (
		r row
		c postgres.Counts
	)
	err := rows.Scan(append([]any{&r.id, &r.zone, &r.tweetID, &r.tracking.CreatedAt}, c.Dest()...)...)
	r.tracking.CreatedAt = r.tracking.CreatedAt.UTC()
	r.tracking.Metrics = c.Metrics()
	return r, err
}

// locked are rows held until the end of the transaction.
type locked struct {
	rows   map[uuid.UUID]*row // tracking and tweet both there
	exists map[uuid.UUID]bool // tweet is there, tracked and selected or not
}

// lockRows locks rows in the order that all writers keep. lockTracking selects
// rows of tracking with trackingColumns, orders them by tweet_db_id and locks
// them; lockTweets does the same for tweets, with its own arguments. Both travel
// in one group, the transaction's first.
//
// The two are separate statements because the second must see what was committed
// while the first waited for its locks. read, if it is not nil, adds statements after
// them.
func lockRows(ctx context.Context, t *postgres.Tx, lockTracking string, trackingArgs []any, lockTweets string, tweetArgs []any, read func(*pgx.Batch)) (locked, error) {
	var (
		tracked []*row
		tweets  []row
	)
	b := t.Group()
	b.Queue(lockTracking, trackingArgs...).Query(postgres.Collect(&tracked, scanTracking))
	b.Queue(lockTweets, tweetArgs...).Query(postgres.Collect(&tweets, scanTweet))
	if read != nil {
		read(b)
	}
	if err := t.Send(ctx, b); err != nil {
		return locked{}, fmt.Errorf("lock rows: %w", err)
	}
	l := locked{rows: make(map[uuid.UUID]*row, len(tracked)), exists: make(map[uuid.UUID]bool, len(tweets))}
	byID := make(map[uuid.UUID]*row, len(tracked))
	for _, r := range tracked {
		byID[r.id] = r
	}
	for i := range tweets {
		w := &tweets[i]
		l.exists[w.id] = true
		r := byID[w.id]
		if r == nil {
			continue
		}
		r.zone, r.tweetID = w.zone, w.tweetID
		r.tracking.TweetID = w.tweetID
		r.tracking.CreatedAt, r.tracking.Metrics = w.tracking.CreatedAt, w.tracking.Metrics
		l.rows[w.id] = r
	}
	return l, adoptSnapshots(ctx, t, l.rows)
}

// adoptSnapshots gives rows that were observed before this engine kept the last
// snapshot on the row (an adopted database) their last point of history, which
// the next deltas are against. It costs nothing for all other rows, and a row is
// such a one only until its first answer.
func adoptSnapshots(ctx context.Context, t *postgres.Tx, rows map[uuid.UUID]*row) error {
	var lives []curve.Life
	for id, r := range rows {
		if r.tracking.SnapshotAt.IsZero() && (!r.tracking.ObservedAt.IsZero() || r.tracking.UpdateCount > 0) {
			lives = append(lives, curve.LifeOf(id, r.tracking.CreatedAt, time.Time{}))
		}
	}
	last, err := lastSnapshots(ctx, t, lives)
	if err != nil {
		return err
	}
	for id, p := range last {
		rows[id].tracking.SnapshotAt, rows[id].tracking.Snapshot = p.At, p.Metrics
	}
	return nil
}

// lastSnapshots reads the latest point of history of each row that has one.
func lastSnapshots(ctx context.Context, t *postgres.Tx, lives []curve.Life) (map[uuid.UUID]curve.Point, error) {
	points, err := curve.Last(ctx, t, lives, 1)
	if err != nil {
		return nil, err
	}
	last := make(map[uuid.UUID]curve.Point, len(points))
	for id, p := range points {
		last[id] = p[0]
	}
	return last, nil
}
