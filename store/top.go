package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// TopBy is what a list of top tweets is ordered by.
type TopBy string

// The orders.
const (
	ByVelocity   TopBy = "velocity"   // engagements an hour at the last snapshot
	ByEngagement TopBy = "engagement" // retweets + replies + likes + quotes
)

// TopQuery selects the tweets that move most.
type TopQuery struct {
	Zones []uuid.UUID // nil: all active ones
	Since time.Time   // tweets posted from then on
	By    TopBy
	Limit int
}

// TopTweet is a line of the list.
type TopTweet struct {
	Row        uuid.UUID
	TweetID    string
	ZoneID     uuid.UUID
	Text       string
	CreatedAt  time.Time
	Tier       engagement.Tier
	GoneReason string // why the tweet counts as deleted; empty: it does not
	Metrics    engagement.Metrics
	Velocity   *float64  // of the last snapshot that has one; nil: none has
	VelocityAt time.Time // when that was taken
}

// Top returns the tracked tweets that come first, the first of them first. It
// looks at every tweet posted since then in the zones, by index, and at the history
// of those that are listed.
func (s *Store) Top(ctx context.Context, q TopQuery) ([]TopTweet, error) {
	// What is listed is chosen by the velocity that the tracking row keeps.
	var chosen, order string
	switch q.By {
	case ByVelocity:
		chosen, order = `c.current desc nulls last, c.total_engagement desc, c.id`, `t.velocity desc nulls last, t.total_engagement desc, t.id`
	case ByEngagement:
		chosen, order = `c.total_engagement desc, c.id`, `t.total_engagement desc, t.id`
	default:
		return nil, fmt.Errorf("top tweets by %.40q: want %s or %s", q.By, ByVelocity, ByEngagement)
	}
	const (
		velocity = `
			select h.engagement_velocity::float8 as velocity, h.snapshot_at
			from public.twitter_engagement_history h
			where h.tweet_id = w.id and h.snapshot_at >= $2::timestamptz and h.engagement_velocity is not null
			order by h.snapshot_at desc limit 1`
		candidates = `
			select w.id, w.tweet_id, w.zone_id, w.text, w.twitter_created_at, w.total_engagement, k.tier, coalesce(k.gone_reason, '') as gone,
				w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count, k.snapshot_velocity as current
			from public.twitter_tweets w
			join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
			join public.zones z on z.id = w.zone_id and coalesce(z.is_active, true)
			where w.twitter_created_at >= $2::timestamptz and w.zone_id = any(coalesce($1::uuid[], array(select id from public.zones)))`
	)
	sql := `
		select t.id, t.tweet_id, t.zone_id, t.text, t.twitter_created_at, t.tier, t.gone, t.velocity, t.snapshot_at,
			t.retweet_count, t.reply_count, t.like_count, t.quote_count, t.view_count, t.bookmark_count
		from (select w.*, v.velocity, v.snapshot_at
			from (select * from (` + candidates + `) c order by ` + chosen + ` limit $3::int4) w
			left join lateral (` + velocity + `) v on true) t
		order by ` + order
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql, q.Zones, q.Since, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("read top tweets: %w", err)
	}
	top, err := pgx.CollectRows(rows, scanTop)
	if err != nil {
		return nil, fmt.Errorf("read top tweets: %w", err)
	}
	return top, nil
}

func scanTop(r pgx.CollectableRow) (TopTweet, error) {
	var (
		t  TopTweet
		c  counts
		at *time.Time
	)
	dest := append([]any{&t.Row, &t.TweetID, &t.ZoneID, &t.Text, &t.CreatedAt, (*string)(&t.Tier), &t.GoneReason, &t.Velocity, &at}, c.scan()...)
	err := r.Scan(dest...)
	t.CreatedAt, t.VelocityAt, t.Metrics = t.CreatedAt.UTC(), timeOf(at), c.metrics()
	return t, err
}
