package report

import (
	"context"
	"fmt"
	"time"
)

// youngest is how old a tweet may be when its tracking begins for its looks to count
// as those of a whole life.
const youngest = 30 * time.Minute

// Volume is how many rows were tracked over a time, and how often they were looked
// at.
type Volume struct {
	Tracked   int     // rows whose tracking began
	PerTweet  float64 // looks a row of the whole lives; 0: there are none
	ColdAfter int     // whole lives: tracked within half an hour of the post, and gone cold
}

// mostLives is of how many whole lives the days are counted.
const mostLives = 1000

// DaysPerTweet returns on how many UTC days a row of the whole lives of a [Volume] was looked
// up: what is paid for where a provider charges for a tweet once a day. It counts the points of
// the history, which has one for each such day, of the thousand newest lives; 0: there are none.
func (r *Reader) DaysPerTweet(ctx context.Context, from, to time.Time) (days float64, err error) {
	const sql = `
		select coalesce(avg((
			select count(distinct (h.snapshot_at at time zone 'UTC')::date) from public.twitter_engagement_history h
			where h.tweet_id = lives.id and h.snapshot_at >= $1::timestamptz and h.provider is not null and h.pushed is not true
		)), 0)::float8
		from (
			select e.tweet_db_id as id
			from public.twitter_engagement_tracking e
			join public.twitter_tweets t on t.id = e.tweet_db_id
			where e.created_at >= $1::timestamptz and e.created_at < $2::timestamptz
				and e.next_update_at is null and e.created_at <= t.twitter_created_at + $3::interval and e.update_count > 0
			order by e.created_at desc limit $4::int4
		) lives`
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	if err := r.db.QueryRow(ctx, sql, from, to, youngest, mostLives).Scan(&days); err != nil {
		return 0, fmt.Errorf("count the days of look-ups: %w", err)
	}
	return days, nil
}

// Volume counts the rows whose tracking began between two engine times. It reads
// the whole tracking table.
func (r *Reader) Volume(ctx context.Context, from, to time.Time) (Volume, error) {
	const sql = `
		select count(*)::int4, coalesce(avg(update_count) filter (where whole), 0)::float8, (count(*) filter (where whole))::int4
		from (
			select e.update_count, e.next_update_at is null and e.created_at <= t.twitter_created_at + $3::interval as whole
			from public.twitter_engagement_tracking e
			join public.twitter_tweets t on t.id = e.tweet_db_id
			where e.created_at >= $1::timestamptz and e.created_at < $2::timestamptz
		) lives`
	var v Volume
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	if err := r.db.QueryRow(ctx, sql, from, to, youngest).Scan(&v.Tracked, &v.PerTweet, &v.ColdAfter); err != nil {
		return Volume{}, fmt.Errorf("count what is tracked: %w", err)
	}
	return v, nil
}
