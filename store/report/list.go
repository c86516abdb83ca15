package report

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/curve"
	"gorgone/store/postgres"
)

// ListBy is what a list of tweets is ordered by.
type ListBy string

// The orders.
const (
	ListByVelocity   ListBy = "velocity"   // tweets that are still looked at first, by engagements an hour
	ListByEngagement ListBy = "engagement" // retweets + replies + likes + quotes
	ListByViews      ListBy = "views"
	ListByPosted     ListBy = "posted"  // the newest first
	ListByUpdated    ListBy = "updated" // the last looked up first
)

// ListOrders returns all orders.
func ListOrders() []ListBy {
	return []ListBy{ListByVelocity, ListByEngagement, ListByViews, ListByPosted, ListByUpdated}
}

// ListQuery selects tracked tweets.
type ListQuery struct {
	Zones   []uuid.UUID     // nil: all active ones
	Rows    []uuid.UUID     // only these; nil: all
	Search  string          // part of the text, or a tweet's id; empty: all
	Tier    engagement.Tier // empty: all
	By      ListBy
	Reverse bool // the least of the order first; what is not known comes last either way
	Offset  int
	Limit   int
	Points  int // last snapshots of each, for a small curve
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
	Matching int // tweets that the query selects, on all pages; of a large table about so many
	Tweets   []Listed
}

// What matches is counted and ordered by the narrow tracking rows where that will do;
// the wide tweets are read for a search, and where their columns give the order.
// Texts and counts are then read for the page only, and the curves after it.
const (
	listTracked = `
			from public.twitter_engagement_tracking k
			join public.zones z on z.id = k.zone_id and ` + postgres.ActiveZone
	listTweets = `
			join public.twitter_tweets w on w.id = k.tweet_db_id`
	listWhere = `
			where ($1::uuid[] is null or k.zone_id = any($1::uuid[]))
			and ($2::text = '' or k.tier = $2::text)`
	listRows = `
			and k.tweet_db_id = any($6::uuid[])`
	listSearch = `
			and ($3::text = '' or w.tweet_id = $3::text or strpos(lower(w.text), lower($3::text)) > 0)`
	listDetails = `
		select (select count(*)::int4 from found), w.id, w.tweet_id, w.zone_id, coalesce(z.name, ''), w.text, w.twitter_created_at,
			k.tier, k.snapshot_velocity, k.last_updated_at, k.next_update_at, k.snapshot_at,
			w.retweet_count, w.reply_count, w.like_count, w.quote_count, w.view_count, w.bookmark_count
		from page p
		join public.twitter_tweets w on w.id = p.id and ($1::uuid[] is null or w.zone_id = any($1::uuid[]))
		join public.twitter_engagement_tracking k on k.tweet_db_id = p.id
		left join public.zones z on z.id = w.zone_id
		order by p.place`
)

// sql is the statement for a page.
func (q ListQuery) sql() (string, error) {
	var key, first string
	narrow := false // the tracking rows give the order
	switch q.By {
	case ListByVelocity:
		key, first, narrow = `k.tier <> 'cold' as live, k.snapshot_velocity as key`, `live desc, `, true
	case ListByEngagement:
		key = `w.total_engagement as key`
	case ListByViews:
		key = `w.view_count as key`
	case ListByPosted:
		key = `w.twitter_created_at as key`
	case ListByUpdated:
		key, narrow = `k.last_updated_at as key`, true
	default:
		return "", fmt.Errorf("list tweets by %.40q: want one of %v", q.By, ListOrders())
	}
	order := first + `key desc nulls last, id`
	if q.Reverse {
		order = first + `key asc nulls last, id`
	}
	from := listTracked
	if !narrow || q.Search != "" {
		from += listTweets
	}
	where := listWhere + ` and $6::uuid[] is null`
	if q.Rows != nil {
		where = listWhere + listRows
	}
	// Reading texts is dear: once for both the count and the page.
	found, matching := `select`+listTracked+where, `as not materialized (`
	search := ` and $3::text = ''`
	if q.Search != "" {
		found, matching, search = `table matching`, `as materialized (`, listSearch
	}
	return `
		with matching ` + matching + `
			select k.tweet_db_id as id, ` + key + from + where + search + `
		), found as (` + found + `
		), page as (
			select m.id, row_number() over () as place
			from (select * from matching order by ` + order + ` limit $4::int4 offset $5::int4) m
		)` + listDetails, nil
}

// List returns a page of the tracked tweets that a query selects. In a table of up to
// 50,000 rows it looks at every tracking row of the zones, and but for the orders by
// velocity and by look-up at every tweet. In a larger one it looks at the first rows of the
// order, by index, by velocity, engagement and time, and Matching is an estimate. It looks at
// all that match only for searches, for other orders, and where too few of the first rows match:
// about a second a million. With Rows it looks at those only.
func (r *Reader) List(ctx context.Context, q ListQuery) (List, error) {
	done, err := r.turn(ctx)
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	defer done()
	rows, many, err := r.large(ctx)
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	if !many {
		return r.list(ctx, q)
	}
	found, err := r.find(ctx, q)
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	if found == nil {
		return r.list(ctx, q)
	}
	page := q
	page.Rows, page.Offset = found, 0
	list, err := r.list(ctx, page)
	if err != nil {
		return List{}, err
	}
	if list.Matching, err = r.estimate(ctx, q, rows, len(list.Tweets)); err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	return list, nil
}

// list reads a page from all rows, or from those that are named.
func (r *Reader) list(ctx context.Context, q ListQuery) (List, error) {
	sql, err := q.sql()
	if err != nil {
		return List{}, err
	}
	var (
		list  List
		lives []curve.Life
	)
	bounded, cancel := r.db.Bounded(ctx)
	defer cancel()
	rows, err := r.db.Query(bounded, sql, q.Zones, string(q.Tier), q.Search, q.Limit, q.Offset, q.Rows)
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	list.Tweets, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (Listed, error) {
		t, snapshot, err := list.scan(r)
		lives = append(lives, curve.LifeOf(t.Row, t.CreatedAt, snapshot))
		return t, err
	})
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	curves, err := curve.Last(ctx, r.db, lives, q.Points)
	if err != nil {
		return List{}, fmt.Errorf("list tweets: %w", err)
	}
	for i := range list.Tweets {
		t := &list.Tweets[i]
		for _, p := range slices.Backward(curves[t.Row]) {
			t.Points = append(t.Points, CurvePoint{p.At, p.Total})
		}
	}
	return list, nil
}

// scan returns a line, and the time of its last snapshot (zero: none).
func (l *List) scan(r pgx.CollectableRow) (t Listed, snapshot time.Time, err error) {
	var (
		c                  postgres.Counts
		observed, next, at *time.Time
	)
	dest := []any{
		&l.Matching, &t.Row, &t.TweetID, &t.ZoneID, &t.ZoneName, &t.Text, &t.CreatedAt,
		(*string)(&t.Tier), &t.Velocity, &observed, &next, &at,
	}
	if err := r.Scan(append(dest, c.Dest()...)...); err != nil {
		return t, snapshot, err
	}
	t.CreatedAt, t.ObservedAt, t.NextUpdateAt, t.Metrics = t.CreatedAt.UTC(), postgres.TimeOf(observed), postgres.TimeOf(next), c.Metrics()
	return t, postgres.TimeOf(at), nil
}
