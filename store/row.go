package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// row is a tracked tweet as it was read under lock.
type row struct {
	id       uuid.UUID // of twitter_tweets
	zone     uuid.UUID
	tweetID  string
	claim    uuid.NullUUID
	tracking engagement.Tracking
}

// trackingColumns are the columns of tracking (as k) that scanTracking reads.
const trackingColumns = `
	k.tweet_db_id, k.claim_id, k.tier, k.last_updated_at, k.next_update_at, coalesce(k.update_count, 0),
	k.retry_at, k.attempts, k.misses, k.doubts, k.last_missed_at, coalesce(k.gone_reason, ''),
	k.snapshot_at, k.snapshot_retweets, k.snapshot_replies, k.snapshot_likes,
	k.snapshot_quotes, k.snapshot_views, k.snapshot_bookmarks, coalesce(k.snapshot_provider, ''), k.activity`

func scanTracking(rows pgx.CollectableRow) (*row, error) {
	var (
		r                                         row
		tier                                      string
		observed, next, retry, missed, snapshotAt *time.Time
		snapshot                                  counts
	)
	t := &r.tracking
	dest := append([]any{
		&r.id, &r.claim, &tier, &observed, &next, &t.UpdateCount,
		&retry, &t.Attempts, &t.Misses, &t.Doubts, &missed, &t.GoneReason, &snapshotAt,
	}, snapshot.scan()...)
	var activity []byte
	dest = append(dest, &t.Provider, &activity)
	if err := rows.Scan(dest...); err != nil {
		return nil, err
	}
	if len(activity) > 0 {
		// One that cannot be read is begun anew: it is an estimate, and no record.
		if err := json.Unmarshal(activity, &t.Activity); err != nil {
			t.Activity = engagement.Activity{}
		}
	}
	t.Tier = engagement.Tier(tier)
	t.ObservedAt, t.NextUpdateAt = timeOf(observed), timeOf(next)
	t.RetryAt, t.LastMissedAt = timeOf(retry), timeOf(missed)
	t.SnapshotAt, t.Snapshot = timeOf(snapshotAt), snapshot.metrics()
	return &r, nil
}

// tweetColumns are the columns of twitter_tweets (as w) that scanTweet reads.
const tweetColumns = `
	w.id, w.zone_id, w.tweet_id, w.twitter_created_at,
	w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count`

func scanTweet(rows pgx.CollectableRow) (row, error) {
	var (
		r row
		c counts
	)
	err := rows.Scan(append([]any{&r.id, &r.zone, &r.tweetID, &r.tracking.CreatedAt}, c.scan()...)...)
	r.tracking.CreatedAt = r.tracking.CreatedAt.UTC()
	r.tracking.Metrics = c.metrics()
	return r, err
}

// locked are rows held until the end of the transaction.
type locked struct {
	rows   map[uuid.UUID]*row // tracking and tweet both there
	exists map[uuid.UUID]bool // tweet is there, tracked and selected or not
	alerts alertStates        // of the rows
}

// lockRows locks rows in the order that all writers keep. lockTracking selects
// rows of tracking with trackingColumns, orders them by tweet_db_id and locks
// them; lockTweets does the same for tweets, with its own arguments. Both travel
// in one group, the transaction's first.
//
// The two are separate statements because the second must see what was committed
// while the first waited for its locks. readAlerts, if it is not empty, goes after
// them and selects alertColumns with the arguments of lockTweets.
func lockRows(ctx context.Context, t *tx, lockTracking string, trackingArgs []any, lockTweets string, tweetArgs []any, readAlerts string) (locked, error) {
	var (
		tracked []*row
		tweets  []row
		alerts  = make(alertStates)
	)
	b := t.group()
	b.Queue(lockTracking, trackingArgs...).Query(collect(&tracked, scanTracking))
	b.Queue(lockTweets, tweetArgs...).Query(collect(&tweets, scanTweet))
	if readAlerts != "" {
		b.Queue(readAlerts, tweetArgs...).Query(alerts.scan)
	}
	if err := t.send(ctx, b); err != nil {
		return locked{}, fmt.Errorf("lock rows: %w", err)
	}
	l := locked{rows: make(map[uuid.UUID]*row, len(tracked)), exists: make(map[uuid.UUID]bool, len(tweets)), alerts: alerts}
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
func adoptSnapshots(ctx context.Context, t *tx, rows map[uuid.UUID]*row) error {
	var ids []uuid.UUID
	for id, r := range rows {
		if r.tracking.SnapshotAt.IsZero() && (!r.tracking.ObservedAt.IsZero() || r.tracking.UpdateCount > 0) {
			ids = append(ids, id)
		}
	}
	last, err := lastSnapshots(ctx, t, ids)
	if err != nil {
		return err
	}
	for id, s := range last {
		rows[id].tracking.SnapshotAt, rows[id].tracking.Snapshot = s.at, s.counts.metrics()
	}
	return nil
}

// point is a snapshot's time and counts.
type point struct {
	at     time.Time
	counts counts
}

// lastSnapshots reads the latest point of history of each row that has one.
func lastSnapshots(ctx context.Context, t *tx, ids []uuid.UUID) (map[uuid.UUID]point, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	const sql = `
		select u.id, h.snapshot_at, h.retweet_count, h.reply_count, h.like_count, h.quote_count, h.view_count, h.bookmark_count
		from unnest($1::uuid[]) u (id)
		cross join lateral (
			select * from public.twitter_engagement_history h
			where h.tweet_id = u.id and h.snapshot_at is not null
			order by h.snapshot_at desc limit 1
		) h`
	last := make(map[uuid.UUID]point, len(ids))
	b := t.group()
	b.Queue(sql, ids).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var (
				id uuid.UUID
				p  point
			)
			if err := rows.Scan(append([]any{&id, &p.at}, p.counts.scan()...)...); err != nil {
				return err
			}
			p.at = p.at.UTC()
			last[id] = p
		}
		return rows.Err()
	})
	if err := t.send(ctx, b); err != nil {
		return nil, fmt.Errorf("read the last snapshots: %w", err)
	}
	return last, nil
}
