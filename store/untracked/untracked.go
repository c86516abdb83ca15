// Package untracked finds tweets that others put into twitter_tweets and that nothing tracks,
// and begins to track them.
package untracked

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/store/postgres"
)

// chunk is how many tweets are tracked in one transaction.
const chunk = 1000

// Finder tracks what nothing tracks. It is safe for concurrent use.
type Finder struct {
	db    *postgres.DB
	clock store.Clock
	store *store.Store
}

// New returns a Finder that tracks by the store.
func New(db *postgres.DB, clock store.Clock, s *store.Store) *Finder {
	return &Finder{db: db, clock: clock, store: s}
}

// Query says which tweets to track.
type Query struct {
	Zone  uuid.UUID // zero: every active zone
	Since time.Time // posted since then; zero: whenever they were posted
	Limit int       // most tweets to track; 0: all
}

// Track tracks tweets of active zones that have no tracking row, and are due at once. It
// returns how many are tracked, also with an error, after which it goes on where it was.
// Tweets without a usable id or time are left out.
func (f *Finder) Track(ctx context.Context, q Query) (tracked int, err error) {
	for q.Limit == 0 || tracked < q.Limit {
		limit := chunk
		if q.Limit > 0 {
			limit = min(limit, q.Limit-tracked)
		}
		found, n, err := f.find(ctx, q, limit)
		if err != nil || n == 0 {
			return tracked, err
		}
		before := tracked
		for zone, tweets := range found {
			began, err := f.store.TrackHeld(ctx, zone, tweets)
			if err != nil {
				return tracked, err
			}
			for _, t := range began {
				if t.Status == store.StatusTracked {
					tracked++
				}
			}
		}
		if n < limit || tracked == before { // what is left cannot be tracked: a second row of a tweet in its zone
			break
		}
	}
	return tracked, nil
}

// find returns up to limit tweets by zone, and how many these are. For each zone it follows
// the index by the time at which tweets were posted.
func (f *Finder) find(ctx context.Context, q Query, limit int) (map[uuid.UUID][]store.NewTweet, int, error) {
	const sql = `
		select z.id, w.tweet_id, w.twitter_created_at
		from public.zones z cross join lateral (
			select w.tweet_id, w.twitter_created_at from public.twitter_tweets w
			where w.zone_id = z.id and w.twitter_created_at between $1::timestamptz and $2::timestamptz
			and w.tweet_id ~ '^[1-9][0-9]{0,17}$|^[1-8][0-9]{18}$'
			and not exists (select from public.twitter_engagement_tracking k where k.tweet_db_id = w.id)
			order by w.twitter_created_at limit $3::int4) w
		where ` + postgres.ActiveZone + ` and ($4::uuid = $5::uuid or z.id = $4::uuid)
		limit $3::int4`
	since := q.Since
	if since.IsZero() {
		since = time.Unix(0, 0)
	}
	ctx, cancel := f.db.Bounded(ctx)
	defer cancel()
	rows, err := f.db.Query(ctx, sql, since, f.clock.Now(), limit, q.Zone, uuid.Nil)
	if err != nil {
		return nil, 0, fmt.Errorf("find tweets that nothing tracks: %w", err)
	}
	var (
		byZone = make(map[uuid.UUID][]store.NewTweet)
		zone   uuid.UUID
		tweet  store.NewTweet
		n      int
	)
	_, err = pgx.ForEachRow(rows, []any{&zone, &tweet.TweetID, &tweet.CreatedAt}, func() error {
		byZone[zone] = append(byZone[zone], tweet)
		n++
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("find tweets that nothing tracks: %w", err)
	}
	return byZone, n, nil
}
