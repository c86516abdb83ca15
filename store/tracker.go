package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"gorgone/engagement"
	"gorgone/store/curve"
	"gorgone/store/models"
	"gorgone/store/postgres"
)

const (
	// No conflict target is named: which uniqueness the table has depends on
	// the age of the database.
	insertTweets = `
		insert into public.twitter_tweets (
			id, zone_id, tweet_id, text, twitter_created_at, raw_data,
			retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
			collected_at, created_at, updated_at)
		select u.id, $12::uuid, u.tweet_id, u.text, u.posted, u.raw::jsonb,
			u.c1, u.c2, u.c3, u.c4, u.c5, u.c6, $13::timestamptz, $13::timestamptz, $13::timestamptz
		from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::text[],
			$6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[], $11::int4[])
			u (id, tweet_id, text, posted, raw, c1, c2, c3, c4, c5, c6)
		order by u.tweet_id
		on conflict do nothing`

	selectTracked = `
		select w.id, w.zone_id, w.tweet_id, w.twitter_created_at, k.tweet_db_id is not null, k.gone_reason is not null
		from public.twitter_tweets w
		left join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where w.tweet_id = any($1::text[])`

	insertTracking = `
		insert into public.twitter_engagement_tracking (
			id, tweet_db_id, zone_id, tier, last_updated_at, next_update_at, update_count, created_at, snapshot_at,
			snapshot_retweets, snapshot_replies, snapshot_likes, snapshot_quotes, snapshot_views, snapshot_bookmarks, activity_state)
		select u.id, u.tweet_id, $13::uuid, u.tier, null, u.next, 0, $12::timestamptz, u.at,
			u.c1, u.c2, u.c3, u.c4, u.c5, u.c6, u.activity
		from unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::timestamptz[],
			$6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[], $11::int4[], $14::bytea[])
			u (id, tweet_id, tier, next, at, c1, c2, c3, c4, c5, c6, activity)
		order by u.tweet_id
		on conflict do nothing
		returning tweet_db_id`
)

// tracker tracks one chunk of tweets in a transaction.
type tracker struct {
	store    *Store
	tx       *postgres.Tx
	zone     uuid.UUID
	now      time.Time
	required map[string]bool
	insert   bool               // insert tweets that are not there
	status   map[string]Tracked // filled
	gone     []uuid.UUID        // filled with the rows of tweets that counted as gone
}

// found is a row of twitter_tweets with one of the ids to track.
type found struct {
	id, zone uuid.UUID
	tweetID  string
	posted   time.Time
	tracked  bool
	gone     bool
}

func (k *tracker) track(ctx context.Context, tweets []NewTweet) error {
	var inserted map[uuid.UUID]bool
	if k.insert {
		var err error
		if inserted, err = k.insertTweets(ctx, tweets); err != nil {
			return err
		}
	}
	rows, err := k.find(ctx, tweets)
	if err != nil {
		return err
	}
	var begin []found
	k.gone = nil
	for _, w := range tweets {
		for _, f := range rows[w.TweetID] {
			if f.gone {
				k.gone = append(k.gone, f.id)
			}
		}
		own, other := pick(rows[w.TweetID], k.zone)
		switch {
		case own != nil && own.tracked:
			k.status[w.TweetID] = Tracked{TweetID: w.TweetID, Row: own.id, Status: StatusAlready}
		case own != nil:
			begin = append(begin, *own)
		case other != nil:
			k.status[w.TweetID] = Tracked{TweetID: w.TweetID, Row: other.id, Status: StatusOtherZone}
		case k.insert:
			return fmt.Errorf("tweet %s was not kept: does row-level security hide it? (gorgone doctor tells)", w.TweetID)
		}
	}
	if len(begin) == 0 {
		return nil
	}
	return k.begin(ctx, tweets, begin, inserted)
}

// insertTweets inserts the tweets that are not there, and returns the ids that
// they get if they are.
func (k *tracker) insertTweets(ctx context.Context, tweets []NewTweet) (map[uuid.UUID]bool, error) {
	var (
		ids                 = make([]uuid.UUID, len(tweets))
		tweetIDs, text, raw = make([]string, len(tweets)), make([]string, len(tweets)), make([]string, len(tweets))
		posted              = make([]time.Time, len(tweets))
		columns             [6][]pgtype.Int4
		given               = make(map[uuid.UUID]bool, len(tweets))
	)
	for i, w := range tweets {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make an id: %w", err)
		}
		given[id] = true
		ids[i], tweetIDs[i], text[i], posted[i], raw[i] = id, w.TweetID, w.Text, w.CreatedAt, string(w.Raw)
		if w.Raw == nil {
			raw[i] = "{}"
		}
		for c, n := range postgres.CountsOf(w.Metrics) {
			columns[c] = append(columns[c], postgres.OrZero(n, "twitter_tweets."+postgres.CountColumns[c], k.required))
		}
	}
	b := k.tx.Group()
	b.Queue(insertTweets, ids, tweetIDs, text, posted, raw,
		columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], k.zone, k.now)
	if err := k.tx.Send(ctx, b); err != nil {
		return nil, fmt.Errorf("insert tweets: %w", err)
	}
	return given, nil
}

// find reads the tweets back, in whatever zone they are.
func (k *tracker) find(ctx context.Context, tweets []NewTweet) (map[string][]found, error) {
	ids := make([]string, len(tweets))
	for i, w := range tweets {
		ids[i] = w.TweetID
	}
	var list []found
	b := k.tx.Group()
	b.Queue(selectTracked, ids).Query(postgres.Collect(&list, func(r pgx.CollectableRow) (f found, err error) {
		return f, r.Scan(&f.id, &f.zone, &f.tweetID, &f.posted, &f.tracked, &f.gone)
	}))
	if err := k.tx.Send(ctx, b); err != nil {
		return nil, fmt.Errorf("read tweets back: %w", err)
	}
	rows := make(map[string][]found, len(list))
	for _, f := range list {
		rows[f.tweetID] = append(rows[f.tweetID], f)
	}
	return rows, nil
}

// pick returns the row of the zone, and one of another zone.
func pick(rows []found, zone uuid.UUID) (own, other *found) {
	for i := range rows {
		if rows[i].zone == zone {
			own = &rows[i]
		} else {
			other = &rows[i]
		}
	}
	return own, other
}

// begin inserts the tracking rows and the baseline snapshots.
func (k *tracker) begin(ctx context.Context, tweets []NewTweet, rows []found, inserted map[uuid.UUID]bool) error {
	given := make(map[string]engagement.Metrics, len(tweets))
	for _, w := range tweets {
		given[w.TweetID] = w.Metrics
	}
	// A tweet that others collected may have been observed by them already.
	var collected []curve.Life
	for _, f := range rows {
		if !inserted[f.id] {
			collected = append(collected, curve.LifeOf(f.id, f.posted.UTC(), time.Time{}))
		}
	}
	last, err := lastSnapshots(ctx, k.tx, collected)
	if err != nil {
		return err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, f := range rows {
		ids[i] = f.id
	}
	policy := k.store.policyOf(k.zone)
	expected, err := models.Expectations(ctx, k.tx, k.zone, ids, policy.model)
	if err != nil {
		return err
	}
	updates := make(map[uuid.UUID]engagement.Update, len(rows))
	for _, f := range rows {
		metrics := given[f.tweetID]
		point, observed := last[f.id]
		if observed {
			metrics = engagement.Metrics{} // it has its baseline; due now
		}
		u, err := engagement.Track(policy, engagement.Tracking{
			TweetID: f.tweetID, CreatedAt: f.posted.UTC(), Metrics: metrics, Activity: engagement.Activity{Expected: expected[f.id]},
		}, k.now)
		if err != nil {
			return fmt.Errorf("%s: %w", f.tweetID, err)
		}
		if observed {
			u.Tracking.SnapshotAt, u.Tracking.Snapshot = point.At, point.Metrics
		}
		updates[f.id] = u
	}
	began, err := k.insertTracking(ctx, rows, updates)
	if err != nil {
		return err
	}
	for _, f := range rows {
		status := StatusAlready // another call was first
		if began[f.id] {
			status = StatusTracked
		}
		k.status[f.tweetID] = Tracked{TweetID: f.tweetID, Row: f.id, Status: status}
	}
	return k.insertBaselines(ctx, updates, began, inserted)
}

func (k *tracker) insertTracking(ctx context.Context, rows []found, updates map[uuid.UUID]engagement.Update) (map[uuid.UUID]bool, error) {
	var (
		a   trackingArrays
		ids = make([]uuid.UUID, len(rows))
	)
	for i, f := range rows {
		id, err := uuid.NewV7()
		if err != nil {
			return nil, fmt.Errorf("make an id: %w", err)
		}
		ids[i] = id
		a.add(f.id, updates[f.id].Tracking, nil, false)
	}
	var list []uuid.UUID
	b := k.tx.Group()
	c := &a.counts
	b.Queue(insertTracking, ids, a.ids, a.tiers, a.next, a.at, c[0], c[1], c[2], c[3], c[4], c[5], k.now, k.zone, a.activities).
		Query(postgres.Collect(&list, pgx.RowTo[uuid.UUID]))
	if err := k.tx.Send(ctx, b); err != nil {
		return nil, fmt.Errorf("insert tracking rows: %w", err)
	}
	began := make(map[uuid.UUID]bool, len(list))
	for _, id := range list {
		began[id] = true
	}
	return began, nil
}

// insertBaselines stores the counts known at collection as the first point of
// history, and on the rows of tweets that were there before.
func (k *tracker) insertBaselines(ctx context.Context, updates map[uuid.UUID]engagement.Update, began, inserted map[uuid.UUID]bool) error {
	var (
		history historyArrays
		tweets  tweetArrays
	)
	// In order of their ids, as all writers lock them.
	for _, id := range slices.SortedFunc(maps.Keys(began), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		u := updates[id]
		if u.Snapshot == nil {
			continue
		}
		if err := history.add(id, u.Snapshot, k.required); err != nil {
			return err
		}
		if !inserted[id] {
			tweets.add(id, u.Tracking.Metrics)
		}
	}
	b := k.tx.Group()
	tweets.queue(b, k.now)
	history.queue(b, k.now)
	if b.Len() == 0 {
		return nil
	}
	if err := k.tx.Send(ctx, b); err != nil {
		return fmt.Errorf("insert baseline snapshots: %w", err)
	}
	return nil
}
