package report

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	// sampleRows is how many rows an estimate looks at.
	sampleRows = smallTable

	// firstWindow is how far the search for the newest tweets goes back at first, and
	// windowGrowth how much farther each time. The last window is all time.
	firstWindow  = 5 * time.Minute
	windowGrowth = 6
	lastWindow   = 365 * 24 * time.Hour

	// longID is the least length of a number that is sought among the ids only.
	longID = 15
)

// large returns the estimated number of tracking rows, and whether they are so many that a
// page of a list is found without a look at all of them, where that can be, and the number
// of entries is estimated.
func (r *Reader) large(ctx context.Context) (rows int64, many bool, err error) {
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	if err := r.db.QueryRow(ctx, postgres.EstimateRows).Scan(&rows); err != nil {
		return 0, false, fmt.Errorf("estimate the number of rows: %w", err)
	}
	return rows, rows > r.manyRows, nil
}

// find returns the rows of a page of a large table, by index; nil when it must be sought
// among all: a search, another order, or a page behind the live tweets.
func (r *Reader) find(ctx context.Context, q ListQuery) (rows []uuid.UUID, err error) {
	switch {
	case q.Rows != nil || q.Offset < 0 || q.Limit < 1:
		return nil, nil
	case q.Search != "":
		return r.findID(ctx, q)
	case (q.By == ListByVelocity || q.By == ListByEngagement) && !q.Reverse && q.Offset+q.Limit <= r.walkRows:
		if rows, err = r.walkList(ctx, q); err == nil && len(rows) < q.Limit && q.By == ListByVelocity && q.Tier != engagement.Cold {
			rows, err = r.findLive(ctx, q)
		}
	case q.By == ListByVelocity && q.Tier != engagement.Cold:
		rows, err = r.findLive(ctx, q)
	case q.By == ListByPosted && !q.Reverse:
		rows, err = r.findNewest(ctx, q)
	}
	if len(rows) < q.Limit {
		return nil, err
	}
	return rows, err
}

// findID returns the rows with the id that is searched for, if it looks like one.
func (r *Reader) findID(ctx context.Context, q ListQuery) ([]uuid.UUID, error) {
	isID := engagement.CheckTweetID(q.Search) == nil
	if !isID || len(q.Search) < longID || q.Offset > 0 {
		return nil, nil
	}
	rows, err := r.ids(ctx, `select w.id from public.twitter_tweets w where w.tweet_id = $1::text limit $2::int4`, q.Search, q.Limit)
	if len(rows) == 0 {
		return nil, err
	}
	return rows, err
}

// findLive reads the live rows, which come first by velocity.
func (r *Reader) findLive(ctx context.Context, q ListQuery) ([]uuid.UUID, error) {
	order := `k.snapshot_velocity desc nulls last, k.tweet_db_id`
	if q.Reverse {
		order = `k.snapshot_velocity asc nulls last, k.tweet_db_id`
	}
	return r.ids(ctx, `
		select k.tweet_db_id`+listTracked+listWhere+` and k.tier <> 'cold' and k.next_update_at is not null
		order by `+order+` limit $3::int4 offset $4::int4`, q.Zones, string(q.Tier), q.Limit, q.Offset)
}

// findNewest reads the tweets of the last minutes, and of longer until the page is full.
func (r *Reader) findNewest(ctx context.Context, q ListQuery) (rows []uuid.UUID, err error) {
	const sql = `
		select k.tweet_db_id` + listTracked + listTweets + listWhere + `
		and w.zone_id = any(coalesce($1::uuid[], array(select id from public.zones))) and w.twitter_created_at >= $3::timestamptz
		order by w.twitter_created_at desc, k.tweet_db_id limit $4::int4 offset $5::int4`
	now := r.clock.Now()
	for window := firstWindow; window < lastWindow; window *= windowGrowth {
		if rows, err = r.ids(ctx, sql, q.Zones, string(q.Tier), now.Add(-window), q.Limit, q.Offset); err != nil || len(rows) == q.Limit {
			return rows, err
		}
	}
	return nil, nil
}

// ids reads ids of rows, by a plan for just these arguments.
func (r *Reader) ids(ctx context.Context, sql string, args ...any) (ids []uuid.UUID, err error) {
	if err := r.db.ReadPlanned(ctx, postgres.Collect(&ids, pgx.RowTo[uuid.UUID]), sql, args...); err != nil {
		return nil, fmt.Errorf("find the rows of a page: %w", err)
	}
	return ids, nil
}

// estimate is about how many of a large table's rows a query selects: at least those up to
// the end of the page, and one more when that is full.
func (r *Reader) estimate(ctx context.Context, q ListQuery, rows int64, listed int) (int, error) {
	least := q.Offset + listed
	if listed == q.Limit {
		least++
	}
	if q.Search != "" {
		return q.Offset + listed, nil
	}
	if q.Zones == nil && q.Tier == "" {
		return max(int(rows), least), nil
	}
	const sql = `
		select (count(*) * 100 / $3::float8)::int4 from public.twitter_engagement_tracking k tablesample system ($3::float8)
		where ($1::uuid[] is null or k.zone_id = any($1::uuid[])) and ($2::text = '' or k.tier = $2::text)`
	var n int
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	if err := r.db.QueryRow(ctx, sql, q.Zones, string(q.Tier), min(100, 100*sampleRows/float64(rows))).Scan(&n); err != nil {
		return 0, fmt.Errorf("estimate the length of a list: %w", err)
	}
	return max(n, least), nil
}
