package store_test

import (
	"fmt"
	"testing"
	"time"

	"gorgone/store/postgres"
)

// BenchmarkBloat plays two days of 10,000 tweets that are claimed and answered as the
// schedule says in their first half day, and at chance after that, while autovacuum
// looks every second, because the days pass in minutes. It reports how
// many times as large the hot tables are, with their indexes, as freshly written ones.
//
//	go test ./store -run '^$' -bench Bloat -benchtime 1x
func BenchmarkBloat(b *testing.B) {
	const tweets, rounds = 10_000, 288
	for b.Loop() {
		e := durableEnv(b, postgres.ExecPrepared)
		e.exec(b, `alter system set autovacuum_naptime = '1s'`)
		e.exec(b, `select pg_reload_conf()`)
		if _, err := e.EnsurePartitions(b.Context(), epoch, epoch.Add(4*aDay)); err != nil {
			b.Fatal(err)
		}
		e.trackIn(b, e.zone, newTweets(epoch, tweets))
		for n := range int64(rounds) {
			e.clock.advance(10 * time.Minute)
			// The schedule of their first hours is over after half a day.
			e.exec(b, `update twitter_engagement_tracking set next_update_at = $1 where mod(hashtext(tweet_db_id::text), 15) = $2`, e.clock.Now(), n%15)
			for _, batch := range e.claimIn(b, 300).Batches {
				e.apply(b, e.found(batch, n))
			}
			if _, err := e.PruneBatches(b.Context(), e.clock.Now().Add(-2*lease)); err != nil {
				b.Fatal(err)
			}
		}
		for _, table := range []string{"twitter_engagement_tracking", "twitter_tweets", "gorgone.batches"} {
			const size = `select pg_total_relation_size(to_regclass($1))`
			was := e.count(b, size, table)
			e.exec(b, `vacuum full `+table)
			b.ReportMetric(float64(was)/float64(e.count(b, size, table)), fmt.Sprintf("x-%s", table))
			b.Logf("%s: %d bytes, %d freshly written", table, was, e.count(b, size, table))
		}
	}
}
