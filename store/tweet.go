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

// Tweet is a row of twitter_tweets and what is known of its tracking.
type Tweet struct {
	Row         uuid.UUID
	TweetID     string
	ZoneID      uuid.UUID
	ZoneName    string
	ZoneActive  bool
	Text        string
	CollectedAt time.Time

	// Tracked is false for a tweet that was collected and is not tracked; then
	// only CreatedAt and Metrics of Tracking are set.
	Tracked      bool
	Tracking     engagement.Tracking
	ClaimedUntil time.Time // end of the lease; zero: not claimed

	// Forecast is where the counts will be, as of the last look that moved them;
	// nil: none was made.
	Forecast *engagement.Forecast
}

// Tweet returns the row with the given id of twitter_tweets, or
// [ErrTweetNotFound].
func (s *Store) Tweet(ctx context.Context, row uuid.UUID) (Tweet, error) {
	tweets, err := s.tweets(ctx, `w.id = $1::uuid`, row)
	if err != nil {
		return Tweet{}, err
	}
	return tweets[0], nil
}

// FindTweet returns the rows that ref names: the one row whose id it is, when ref
// is a UUID, else all rows of the tweet with that id, one a zone, ordered by zone
// name. It returns [ErrTweetNotFound] when there is none, and an error wrapping
// [engagement.ErrTweetID] when ref is neither.
func (s *Store) FindTweet(ctx context.Context, ref string) ([]Tweet, error) {
	if id, err := uuid.Parse(ref); err == nil {
		return s.tweets(ctx, `w.id = $1::uuid`, id)
	}
	if err := engagement.CheckTweetID(ref); err != nil {
		return nil, fmt.Errorf("neither a row's UUID nor a tweet's id: %w", err)
	}
	return s.tweets(ctx, `w.tweet_id = $1::text`, ref)
}

// tweets returns the rows that a condition on w selects, at least one.
func (s *Store) tweets(ctx context.Context, where string, ref any) ([]Tweet, error) {
	sql := `
		select w.id, w.tweet_id, w.zone_id, coalesce(z.name, ''), z.id is not null and coalesce(z.is_active, true),
			w.text, w.collected_at, k.tweet_db_id is not null, k.claimed_until,
			coalesce(k.tier, ''), k.last_updated_at, k.next_update_at, coalesce(k.update_count, 0),
			k.retry_at, coalesce(k.attempts, 0), coalesce(k.misses, 0), coalesce(k.doubts, 0),
			k.last_missed_at, coalesce(k.gone_reason, ''), k.snapshot_at, w.twitter_created_at,
			w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count,
			k.snapshot_retweets, k.snapshot_replies, k.snapshot_likes, k.snapshot_quotes, k.snapshot_views, k.snapshot_bookmarks,
			coalesce(k.snapshot_provider, ''), k.activity, w.predictions
		from public.twitter_tweets w
		left join public.zones z on z.id = w.zone_id
		left join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where ` + where + `
		order by z.name, w.id`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql, ref)
	if err != nil {
		return nil, fmt.Errorf("read tweet %v: %w", ref, err)
	}
	tweets, err := pgx.CollectRows(rows, scanWholeTweet)
	if err != nil {
		return nil, fmt.Errorf("read tweet %v: %w", ref, err)
	}
	if len(tweets) == 0 {
		return nil, fmt.Errorf("%w: %v", ErrTweetNotFound, ref)
	}
	return tweets, nil
}

func scanWholeTweet(r pgx.CollectableRow) (Tweet, error) {
	var (
		w                                                             Tweet
		collected, claimed, observed, next, retry, missed, snapshotAt *time.Time
		current, snapshot                                             counts
	)
	var activity *engagement.Activity
	var predictions []byte
	t := &w.Tracking
	dest := []any{
		&w.Row, &w.TweetID, &w.ZoneID, &w.ZoneName, &w.ZoneActive,
		&w.Text, &collected, &w.Tracked, &claimed,
		(*string)(&t.Tier), &observed, &next, &t.UpdateCount,
		&retry, &t.Attempts, &t.Misses, &t.Doubts,
		&missed, &t.GoneReason, &snapshotAt, &t.CreatedAt,
	}
	dest = append(append(append(dest, current.scan()...), snapshot.scan()...), &t.Provider, &activity, &predictions)
	if err := r.Scan(dest...); err != nil {
		return w, err
	}
	t.TweetID = w.TweetID
	if activity != nil {
		t.Activity = *activity
	}
	// A column of this name may have been the product's before, in another shape.
	var f engagement.Forecast
	if json.Unmarshal(predictions, &f) == nil && !f.MadeAt.IsZero() {
		w.Forecast = &f
	}
	w.CollectedAt, w.ClaimedUntil = timeOf(collected), timeOf(claimed)
	t.CreatedAt = t.CreatedAt.UTC()
	t.ObservedAt, t.NextUpdateAt, t.RetryAt = timeOf(observed), timeOf(next), timeOf(retry)
	t.LastMissedAt, t.SnapshotAt = timeOf(missed), timeOf(snapshotAt)
	t.Metrics, t.Snapshot = current.metrics(), snapshot.metrics()
	return w, nil
}
