package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/postgres"
	"gorgone/store"
	pg "gorgone/store/postgres"
)

// durableEnv is a database on a server of its own that keeps its commits, unlike
// that of the tests.
func durableEnv(b *testing.B, mode pg.ExecMode) *env {
	b.Helper()
	dir, err := os.MkdirTemp("", "gorgone-bench-")
	if err != nil {
		b.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // #nosec G302 -- for the server's user
		b.Fatal(err)
	}
	server, err := postgres.Start(b.Context(), postgres.Options{DataDir: dir, Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := server.Stop(); err != nil {
			b.Error(err)
		}
		_ = os.RemoveAll(dir)
	})
	migrate(b, server.URL())
	e := openEnv(b, server.URL(), mode)
	e.zone = e.newZone(b)
	return e
}

// BenchmarkApply applies all batches of 20,000 tweets, with fsync, and reports
// the tweets a second. Every tweet has new counts each time, so that all three
// tables are written.
//
//	go test ./store -run '^$' -bench Apply -benchtime 5x
func BenchmarkApply(b *testing.B) {
	const tweets = 20_000
	for _, mode := range []pg.ExecMode{pg.ExecPrepared, pg.ExecPooled} {
		e := durableEnv(b, mode)
		list := newTweets(epoch, tweets)
		for i := range list {
			list[i].Raw = json.RawMessage(fmt.Sprintf(`{"id":%q,"text":%q}`, list[i].TweetID, strings.Repeat("lorem ", 100)))
		}
		e.trackIn(b, e.zone, list)
		if _, err := e.EnsurePartitions(b.Context(), epoch, epoch.Add(48*time.Hour)); err != nil {
			b.Fatal(err)
		}
		n := int64(0)
		for _, size := range []int{20, 50, 100, 200} {
			for _, appliers := range []int{1, 4, 8} {
				b.Run(fmt.Sprintf("%s/batch=%d/appliers=%d", mode, size, appliers), func(b *testing.B) {
					applied := 0
					for b.Loop() {
						b.StopTimer()
						n++
						e.clock.advance(2 * time.Minute)
						if _, err := e.ForceDue(b.Context(), store.DueFilter{IncludeCold: true}); err != nil {
							b.Fatal(err)
						}
						batches := e.claimIn(b, size).Batches
						b.StartTimer()
						applied += applyAll(b, e, batches, appliers, n)
					}
					b.ReportMetric(float64(applied)/b.Elapsed().Seconds(), "tweets/s")
				})
			}
		}
	}
}

// applyAll applies batches with so many appliers and returns the rows written.
func applyAll(b *testing.B, e *env, batches []store.Batch, appliers int, n int64) int {
	b.Helper()
	var (
		wg            conc.WaitGroup
		next, applied atomic.Int64
	)
	for range appliers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batches) {
					return
				}
				got, err := e.Apply(b.Context(), e.found(batches[i], n))
				if err != nil {
					b.Error(err)
					return
				}
				applied.Add(int64(got.Count(engagement.RowApplied)))
			}
		})
	}
	wg.Wait()
	return int(applied.Load())
}

// BenchmarkClaim claims 2,000 tweets, in batches of 200, out of a million rows in
// 1,000 zones, in turn with such a claim out of as many rows in one zone. How much the
// first takes of the second is told, which says more on a busy machine than how long
// they take: it is to be compared before and after a change.
//
//	go test ./store -run '^$' -bench Claim -benchtime 20x
//
// GORGONE_TEST_ROWS makes the table smaller, and the wait for it shorter.
func BenchmarkClaim(b *testing.B) {
	const zones, each = 1000, 10
	rows := testRows(b, 1_000_000)
	one := durableEnv(b, pg.ExecPrepared)
	populate(b, one, rows, zones*each)
	many := one.copy(b, "many")
	skew := one.zone // that has what is left over
	many.exec(b, `update twitter_engagement_tracking set next_update_at = $1::timestamptz - interval '1 hour' where tweet_db_id in (
		select tweet_db_id from twitter_engagement_tracking where next_update_at > $1 limit 100000)`, epoch)
	spreadDue(b, many, zones, each)

	claim := func(b *testing.B, e *env) time.Duration {
		b.Helper()
		began := time.Now()
		claimed, err := e.Claim(b.Context(), store.ClaimRequest{Tweets: 2000, BatchTweets: 200, BatchRows: 400, Lease: lease})
		took := time.Since(began)
		if err != nil || claimed.Tweets != 2000 {
			b.Fatalf("claimed %d tweets: %v", claimed.Tweets, err)
		}
		e.exec(b, `update twitter_engagement_tracking set claim_id = null, claimed_until = null where claim_id is not null`)
		e.exec(b, `truncate gorgone.batches`)
		return took
	}
	compare := func(name string) {
		b.Run(name, func(b *testing.B) {
			var zoned, plain time.Duration
			for b.Loop() {
				plain += claim(b, one)
				zoned += claim(b, many)
			}
			b.ReportMetric(float64(plain.Milliseconds())/float64(b.N), "one-zone-ms/op")
			b.ReportMetric(float64(zoned.Milliseconds())/float64(b.N), "zones-ms/op")
			b.ReportMetric(float64(zoned)/float64(plain), "zones/one-zone")
		})
	}
	compare("one zone with 100,000 due and 1,000 with ten")
	many.exec(b, `update twitter_engagement_tracking set next_update_at = $1::timestamptz + interval '1 hour' where zone_id = $2 and next_update_at <= $1`, epoch, skew)
	many.exec(b, `vacuum analyze twitter_engagement_tracking`)
	compare("1,000 zones with ten due")
}

// copy returns a copy of the database, on the same server. The connections to this
// one are opened again.
func (e *env) copy(b *testing.B, name string) *env {
	b.Helper()
	e.db.Close()
	e.raw.Close()
	admin := connectRaw(b, strings.Replace(e.url, "/gorgone?", "/postgres?", 1))
	if _, err := admin.Exec(b.Context(), `create database `+name+` template gorgone`); err != nil {
		b.Fatal(err)
	}
	again := openEnv(b, e.url, pg.ExecPrepared)
	again.zone = e.zone
	*e = *again
	made := openEnv(b, strings.Replace(e.url, "/gorgone?", "/"+name+"?", 1), pg.ExecPrepared)
	made.zone = e.zone
	return made
}

// spread moves one of the last due tweets to each of so many new zones, and the tweets
// that are not due evenly.
func spread(tb testing.TB, e *env, zones int) {
	tb.Helper()
	spreadDue(tb, e, zones, 1)
}

// spreadDue is spread with so many due tweets for each zone.
func spreadDue(tb testing.TB, e *env, zones, each int) {
	tb.Helper()
	e.exec(tb, `
		with made as (
			insert into zones (id, name, client_id) select gen_random_uuid(), 'zone ' || i, (select client_id from zones limit 1)
			from generate_series(1, $1::int) i returning id),
		zone as (select id, row_number() over () n from made),
		row as (
			select tweet_db_id, case when next_update_at <= $2 then (row_number() over (partition by next_update_at <= $2 order by next_update_at desc) + $3::int - 1) / $3::int
				else 1 + abs(hashtext(tweet_db_id::text)) % $1::int end n
			from twitter_engagement_tracking where next_update_at is not null)
		update twitter_engagement_tracking k set zone_id = zone.id from row join zone using (n) where k.tweet_db_id = row.tweet_db_id`,
		zones, epoch, each)
	e.exec(tb, `update twitter_tweets w set zone_id = k.zone_id from twitter_engagement_tracking k where k.tweet_db_id = w.id and k.zone_id is distinct from w.zone_id`)
	e.exec(tb, `vacuum analyze twitter_tweets, twitter_engagement_tracking`)
}

// BenchmarkStats reads the statistics of a million rows, half of them live.
func BenchmarkStats(b *testing.B) {
	e := durableEnv(b, pg.ExecPrepared)
	populate(b, e, 1_000_000, 10_000)
	for b.Loop() {
		if _, err := e.Stats(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
