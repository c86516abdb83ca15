package month

import (
	"context"
	"fmt"
	"time"

	"gorgone/engagement"
	pg "gorgone/store/postgres"
)

// seedTweets have a point a day for longer than history is kept, so that days are dropped
// and months merged from the first day on.
const seedTweets = 100

// seedHistory brings in the history of tweets that were looked up for long, and are no more.
func (r *run) seedHistory(ctx context.Context) error {
	first := r.begin.Add(-keepAll - keepHourly - keepDaily - 5*day).Truncate(day)
	if _, err := r.db.History.EnsurePartitions(ctx, first, r.begin.Add(3*day)); err != nil {
		return err
	}
	ids := make([]string, seedTweets)
	for i := range ids {
		ids[i] = engagement.TweetIDAt(first.Add(time.Duration(i)*time.Minute), int64(i))
	}
	zone := r.collector.Zones[0].String()
	if _, err := r.sql.Exec(ctx, `
		insert into public.twitter_tweets (zone_id, tweet_id, text, twitter_created_at, collected_at, raw_data)
		select $1::uuid, id, 'an old tweet', $2, $2, '{}' from unnest($3::text[]) id`, zone, first, ids); err != nil {
		return fmt.Errorf("bring in old tweets: %w", err)
	}
	if _, err := r.sql.Exec(ctx, `
		insert into public.twitter_engagement_history (tweet_id, snapshot_at, created_at, like_count, view_count, delta_likes)
		select t.id, at, at, n, 100 * n, 1 from public.twitter_tweets t
		cross join generate_series($2::timestamptz + interval '6 hours', $4::timestamptz - interval '1 day', interval '1 day') with ordinality g (at, n)
		where t.zone_id = $1::uuid and t.tweet_id = any ($3::text[])`, zone, first, ids, r.begin); err != nil {
		return fmt.Errorf("bring in old history: %w", err)
	}
	// That they are thinned is known: what is left is a point a day.
	if _, err := r.sql.Exec(ctx, `
		insert into gorgone.history_days (day, grain, slices, done)
		select d::date, 'day', 0, true from generate_series($1::timestamptz, $2::timestamptz - interval '8 days', interval '1 day') d`, first, r.begin); err != nil {
		return fmt.Errorf("bring in old history: %w", err)
	}
	return nil
}

// partition is one of the history's.
type partition struct{ first, past time.Time }

// partitions reads the history's, the oldest first.
func (r *run) partitions(ctx context.Context) (list []partition, err error) {
	rows, err := r.sql.Query(ctx, `select first, past from (`+pg.HistoryPartitions+`) p order by first`)
	if err != nil {
		return nil, fmt.Errorf("read the partitions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var p partition
		if err := rows.Scan(&p.first, &p.past); err != nil {
			return nil, fmt.Errorf("read the partitions: %w", err)
		}
		list = append(list, p)
	}
	return list, rows.Err()
}
