package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

func TestStats(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		stats := must(e.Stats(t.Context()))(t)
		if stats.Total() != 0 || stats.Lateness() != 0 || !stats.NextDue.IsZero() {
			t.Errorf("empty: %+v", stats)
		}
		tracked := e.track(t, 10)
		e.trackIn(t, e.zone, newTweets(epoch.Add(-48*time.Hour), 2)) // cold, with one look to come
		set := func(i int, sql string, args ...any) {
			e.exec(t, `update twitter_engagement_tracking set `+sql+` where tweet_db_id = $1`, append([]any{tracked[i].Row}, args...)...)
		}
		batch := must(e.Claim(t.Context(), store.ClaimRequest{Tweets: 3, BatchTweets: 3, BatchRows: 3, Lease: lease}))(t).Batches[0]
		held := map[string]bool{}
		for _, w := range batch.Tweets {
			held[w.TweetID] = true
		}
		var free []int
		for i, w := range tracked {
			if !held[w.TweetID] {
				free = append(free, i)
			}
		}
		set(free[0], `next_update_at = $2`, epoch.Add(-2*time.Minute))
		set(free[1], `next_update_at = $2, tier = 'hot'`, epoch.Add(time.Hour))
		set(free[2], `next_update_at = null, tier = 'cold'`)
		set(free[3], `attempts = 2, retry_at = $2`, epoch.Add(5*time.Minute))
		set(free[4], `misses = 1, retry_at = $2`, epoch.Add(6*time.Minute))
		set(free[5], `zone_id = $2`, uuid.New()) // a zone that is not there is inactive

		stats = must(e.Stats(t.Context()))(t)
		want := map[engagement.Tier]int{engagement.UltraHot: 8, engagement.Hot: 1, engagement.Cold: 3}
		for _, tier := range engagement.Tiers() {
			if stats.Tier[tier] != want[tier] {
				t.Errorf("%d rows of tier %s, want %d", stats.Tier[tier], tier, want[tier])
			}
		}
		if stats.Total() != 12 || stats.Live() != 9 || stats.ColdEstimated {
			t.Errorf("total %d, live %d", stats.Total(), stats.Live())
		}
		if stats.DueClaimed+stats.DueUnclaimed != 12-5 || stats.DueClaimed != 3 {
			t.Errorf("due %d claimed, %d not", stats.DueClaimed, stats.DueUnclaimed)
		}
		if stats.Lateness() != 2*time.Minute || !stats.NextDue.Equal(epoch.Add(5*time.Minute)) {
			t.Errorf("late by %s, next at %s", stats.Lateness(), stats.NextDue)
		}
		if stats.Failing != 1 || stats.Missing != 1 || stats.Parked != 1 {
			t.Errorf("failing %d, missing %d, parked %d, want 1 each", stats.Failing, stats.Missing, stats.Parked)
		}
		if stats.Outstanding.Tweets != 3 || stats.Outstanding.Batches != 1 {
			t.Errorf("outstanding %+v", stats.Outstanding)
		}

		// Throughput: three tweets in two seconds, forgotten after a minute.
		e.clock.advance(2 * time.Second)
		e.apply(t, e.found(batch, 1))
		if o := e.outstanding(t); o.DonePerSecond != 1.5 || o.Tweets != 0 {
			t.Errorf("outstanding %+v, want 1.5 a second", o)
		}
		e.clock.advance(time.Minute)
		if o := e.outstanding(t); o.DonePerSecond != 0 {
			t.Errorf("outstanding %+v, want none a second", o)
		}
		if n := must(e.PruneBatches(t.Context(), e.clock.Now()))(t); n != 1 {
			t.Errorf("pruned %d batches, want 1", n)
		}
	})
}

// populate fills the database with n rows without a look in between: due are due,
// half of the others fall due within the coming hour, half are cold.
func populate(tb testing.TB, e *env, n, due int) {
	tb.Helper()
	e.exec(tb, `
		insert into twitter_tweets (id, zone_id, tweet_id, text, twitter_created_at, raw_data)
		select gen_random_uuid(), $1, (1000000000000000000 + i)::text, repeat('text ', 30), $2::timestamptz - interval '30 minutes',
			jsonb_build_object('id', i, 'author', jsonb_build_object('id', (i % 500)::text, 'about', repeat('x', 300)))
		from generate_series(1, $3::int) i`, e.zone, epoch, n)
	e.exec(tb, `
		insert into twitter_engagement_tracking (tweet_db_id, zone_id, tier, last_updated_at, next_update_at)
		select id, zone_id, case when i <= $3::int or i % 2 = 0 then 'ultra_hot' else 'cold' end, $2::timestamptz - interval '10 minutes',
			case when i <= $3::int then $2::timestamptz - i * interval '1 millisecond'
				when i % 2 = 0 then $2::timestamptz + (1 + i % 3600) * interval '1 second' end
		from (select id, zone_id, row_number() over (order by id) i from twitter_tweets where zone_id = $1) w`, e.zone, epoch, due)
	e.exec(tb, `vacuum analyze twitter_tweets, twitter_engagement_tracking`)
}
