package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
)

// ListBy is what a list of tweets is ordered by.
type ListBy string

// The orders.
const (
	ListByVelocity   ListBy = "velocity"   // tweets that are still looked at first, by engagements an hour
	ListByEngagement ListBy = "engagement" // retweets + replies + likes + quotes
	ListByPosted     ListBy = "posted"     // the newest first
)

// ListQuery selects tracked tweets.
type ListQuery struct {
	Zones  []uuid.UUID     // nil: all active ones
	Search string          // part of the text, or a tweet's id; empty: all
	Tier   engagement.Tier // empty: all
	By     ListBy
	Offset int
	Limit  int
	Points int // last snapshots of each, for a small curve
}

// Listed is a line of the list.
type Listed struct {
	Row          uuid.UUID
	TweetID      string
	ZoneID       uuid.UUID
	ZoneName     string
	Text         string
	CreatedAt    time.Time
	Tier         engagement.Tier
	Metrics      engagement.Metrics
	Velocity     *float64  // at the last snapshot; nil: not known yet
	ObservedAt   time.Time // zero: never
	NextUpdateAt time.Time // zero: not looked at any more
	Points       []CurvePoint
}

// CurvePoint is a point of a small curve.
type CurvePoint struct {
	At    time.Time
	Total int64
}

// List is a page of tracked tweets.
type List struct {
	Matching int // tweets that the query selects, on all pages
	Tweets   []Listed
}

// The tracking rows and tweets that match are read once, to count and order them;
// texts, counts and curves are then read for the page only.
const (
	listMatching = `
		with matching as (
			select w.id, k.tier <> 'cold' as live, k.snapshot_velocity as velocity, w.total_engagement as total, w.twitter_created_at as posted
			from public.twitter_tweets w
			join public.twitter_engagement_tracking k on k.tweet_db_id = w.id
			join public.zones z on z.id = w.zone_id and coalesce(z.is_active, true)
			where ($1::uuid[] is null or w.zone_id = any($1::uuid[]))
			and ($2::text = '' or k.tier = $2::text)
			and ($3::text = '' or w.tweet_id = $3::text or strpos(lower(w.text), lower($3::text)) > 0)
		), page as (
			select m.id, m.count, row_number() over () as place
			from (select *, count(*) over () as count from matching order by `
	listDetails = `, id limit $4::int4 offset $5::int4) m
		)
		select p.count::int4, w.id, w.tweet_id, w.zone_id, coalesce(z.name, ''), w.text, w.twitter_created_at,
			k.tier, k.snapshot_velocity, k.last_updated_at, k.next_update_at, c.at, c.total,
			w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count
		from page p
		join public.twitter_tweets w on w.id = p.id
		join public.twitter_engagement_tracking k on k.tweet_db_id = p.id
		left join public.zones z on z.id = w.zone_id
		left join lateral (
			select array_agg(h.snapshot_at order by h.snapshot_at) as at,
				array_agg(h.total_engagement::int8 order by h.snapshot_at) as total
			from (select snapshot_at, total_engagement from public.twitter_engagement_history
				where tweet_id = p.id order by snapshot_at desc limit $6::int4) h
		) c on true
		order by p.place`
)

// List returns a page of the tracked tweets that a query selects: one statement
// for all of it. It looks at every tweet of the zones, at about a second a million.
func (s *Store) List(ctx context.Context, q ListQuery) (List, error) {
	var order string
	switch q.By {
	case ListByVelocity:
		order = `live desc, velocity desc nulls last, total desc`
	case ListByEngagement:
		order = `total desc`
	case ListByPosted:
		order = `posted desc`
	default:
		return List{}, fmt.Errorf("list tweets by %.40q: want %s, %s or %s", q.By, ListByVelocity, ListByEngagement, ListByPosted)
	}
	var list List
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, listMatching+order+listDetails, q.Zones, string(q.Tier), q.Search, q.Limit, q.Offset, q.Points)
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	list.Tweets, err = pgx.CollectRows(rows, list.scan)
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	return list, nil
}

func (l *List) scan(r pgx.CollectableRow) (Listed, error) {
	var (
		t              Listed
		c              counts
		observed, next *time.Time
		at             []time.Time
		total          []int64
	)
	dest := []any{
		&l.Matching, &t.Row, &t.TweetID, &t.ZoneID, &t.ZoneName, &t.Text, &t.CreatedAt,
		(*string)(&t.Tier), &t.Velocity, &observed, &next, &at, &total,
	}
	if err := r.Scan(append(dest, c.scan()...)...); err != nil {
		return t, err
	}
	t.CreatedAt, t.ObservedAt, t.NextUpdateAt, t.Metrics = t.CreatedAt.UTC(), timeOf(observed), timeOf(next), c.metrics()
	for i := range at {
		t.Points = append(t.Points, CurvePoint{at[i].UTC(), total[i]})
	}
	return t, nil
}
