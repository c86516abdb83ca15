package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/curve"
	"gorgone/store/postgres"
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

	// Forecast is where the counts will be, as of the last look-up; nil when there was
	// none, and when forecasts are off.
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
// is a UUID, else all rows of the tweet with that id or address, one a zone, ordered by
// zone name. It returns [ErrTweetNotFound] when there is none, and an error wrapping
// [engagement.ErrTweetID] when ref is none of these.
func (s *Store) FindTweet(ctx context.Context, ref string) ([]Tweet, error) {
	if id, err := uuid.Parse(ref); err == nil {
		return s.tweets(ctx, `w.id = $1::uuid`, id)
	}
	tweet, err := engagement.ParseTweetRef(ref)
	if err != nil {
		return nil, fmt.Errorf("neither a row's UUID nor a tweet's id or address: %w", err)
	}
	return s.tweets(ctx, `w.tweet_id = $1::text`, tweet)
}

// tweets returns the rows that a condition on w selects, at least one.
func (s *Store) tweets(ctx context.Context, where string, ref any) ([]Tweet, error) {
	sql := `
		select w.id, w.tweet_id, w.zone_id, coalesce(z.name, ''), z.id is not null and ` + postgres.ActiveZone + `,
			w.text, w.collected_at, k.tweet_db_id is not null, k.claimed_until,
			coalesce(k.tier, ''), k.last_updated_at, k.next_update_at, coalesce(k.update_count, 0),
			k.retry_at, coalesce(k.attempts, 0), coalesce(k.misses, 0), coalesce(k.doubts, 0),
			k.last_missed_at, coalesce(k.gone_reason, ''), k.snapshot_at, w.twitter_created_at,
			w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count,
			k.snapshot_retweets, k.snapshot_replies, k.snapshot_likes, k.snapshot_quotes, k.snapshot_views, k.snapshot_bookmarks,
			coalesce(k.snapshot_provider, ''), coalesce(k.unrecorded_at = k.snapshot_at, false), k.activity, k.activity_state
		from public.twitter_tweets w
		left join public.zones z on z.id = w.zone_id
		left join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
		where ` + where + `
		order by z.name, w.id`
	if err := s.readPolicies(ctx, false); err != nil { // forecasts need the models
		return nil, err
	}
	bounded, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(bounded, sql, ref)
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
	if err := s.forecast(ctx, tweets); err != nil {
		return nil, fmt.Errorf("read tweet %v: %w", ref, err)
	}
	return tweets, nil
}

// forecast adds the forecasts of tweets that were looked up. They need the snapshot before
// the last look-up, which is the row's own when that look-up added none.
func (s *Store) forecast(ctx context.Context, tweets []Tweet) error {
	var lives []curve.Life
	added := func(t engagement.Tracking) bool { return !t.SnapshotAt.IsZero() && !t.SnapshotAt.Before(t.ObservedAt) }
	for _, w := range tweets {
		if t := w.Tracking; !t.ObservedAt.IsZero() && added(t) {
			l := curve.LifeOf(w.Row, t.CreatedAt, t.SnapshotAt)
			l.To = t.SnapshotAt
			lives = append(lives, l)
		}
	}
	previous, err := curve.Last(ctx, s.db, lives, 1)
	if err != nil {
		return err
	}
	for i := range tweets {
		w := &tweets[i]
		t := w.Tracking
		if t.ObservedAt.IsZero() {
			continue
		}
		var last *engagement.Snapshot
		switch p := previous[w.Row]; {
		case len(p) > 0:
			last = &engagement.Snapshot{At: p[0].At, Metrics: p[0].Metrics}
		case !t.SnapshotAt.IsZero() && !added(t):
			last = &engagement.Snapshot{At: t.SnapshotAt, Metrics: t.Snapshot}
		}
		w.Forecast = s.policyOf(w.ZoneID).forecastOf(t, last)
	}
	return nil
}

func scanWholeTweet(r pgx.CollectableRow) (Tweet, error) {
	var (
		w                                                             Tweet
		collected, claimed, observed, next, retry, missed, snapshotAt *time.Time
		current, snapshot                                             postgres.Counts
	)
	var estimate postgres.StoredActivity
	t := &w.Tracking
	dest := []any{
		&w.Row, &w.TweetID, &w.ZoneID, &w.ZoneName, &w.ZoneActive,
		&w.Text, &collected, &w.Tracked, &claimed,
		(*string)(&t.Tier), &observed, &next, &t.UpdateCount,
		&retry, &t.Attempts, &t.Misses, &t.Doubts,
		&missed, &t.GoneReason, &snapshotAt, &t.CreatedAt,
	}
	dest = append(append(append(dest, current.Dest()...), snapshot.Dest()...), &t.Provider, &t.Unrecorded)
	if err := r.Scan(append(dest, estimate.Dest()...)...); err != nil {
		return w, err
	}
	t.TweetID = w.TweetID
	t.Activity = estimate.Activity()
	w.CollectedAt, w.ClaimedUntil = postgres.TimeOf(collected), postgres.TimeOf(claimed)
	t.CreatedAt = t.CreatedAt.UTC()
	t.ObservedAt, t.NextUpdateAt, t.RetryAt = postgres.TimeOf(observed), postgres.TimeOf(next), postgres.TimeOf(retry)
	t.LastMissedAt, t.SnapshotAt = postgres.TimeOf(missed), postgres.TimeOf(snapshotAt)
	t.Metrics, t.Snapshot = current.Metrics(), snapshot.Metrics()
	return w, nil
}
