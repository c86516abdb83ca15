package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/postgres"
)

// TestInactiveZonesCostNothing has a large inactive zone at the head of the queue: it keeps
// nothing waiting, none of its rows is written, and all are served as soon as it is active.
func TestInactiveZonesCostNothing(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		idle := e.newZone(t)
		e.exec(t, `update zones set is_active = false where id = $1`, idle)
		e.trackIn(t, idle, newTweets(epoch.Add(-time.Hour), 300))
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, epoch.Add(-time.Hour))
		e.track(t, 5)
		const rows = `select coalesce(string_agg(k::text || k.xmin::text, ',' order by k.id), '') from twitter_engagement_tracking k where zone_id = $1`
		before := scalar[string](t, e, rows, idle)
		for _, want := range []int{5, 0, 0} {
			claimed, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 50, BatchTweets: 100, BatchRows: 100, Lease: lease})
			if err != nil || claimed.Tweets != want || claimed.Parked != 0 || claimed.MoreDue {
				t.Errorf("claimed %+v, %v, want %d tweets", claimed, err, want)
			}
		}
		if after := scalar[string](t, e, rows, idle); after != before {
			t.Error("rows of the inactive zone were written")
		}
		stats := must(e.Stats(t.Context()))(t)
		if stats.Parked != 300 || stats.DueUnclaimed != 0 || stats.DueClaimed != 5 {
			t.Errorf("stats %+v", stats)
		}
		e.exec(t, `update zones set is_active = true where id = $1`, idle)
		if claimed := e.claimIn(t, 1000); claimed.Tweets != 300 {
			t.Errorf("claimed %d tweets of a zone that is active again, want 300", claimed.Tweets)
		}
	})
}

// TestAClaimBesideManyInactiveRows: what a claim reads and writes does not grow with what
// is due in inactive zones, and a tweet that was moved out of one is found all the same.
func TestAClaimBesideManyInactiveRows(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	idle, n := e.newZone(t), testRows(t, 20_000)
	e.exec(t, `update zones set is_active = false where id = $1`, idle)
	e.exec(t, `
		insert into twitter_tweets (id, zone_id, tweet_id, twitter_created_at, text, raw_data, collected_at, created_at, updated_at)
		select gen_random_uuid(), $1, (1800000000000000000 + i)::text, $2, '', '{}', $2, $2, $2 from generate_series(1, $3) i`, idle, epoch, n)
	e.exec(t, `
		insert into twitter_engagement_tracking (tweet_db_id, tier, next_update_at, zone_id, last_updated_at)
		select id, 'hot', $2, zone_id, null from twitter_tweets where zone_id = $1`, idle, epoch.Add(-time.Hour))
	e.exec(t, `analyze twitter_tweets, twitter_engagement_tracking`)
	moved := e.exec(t, `update twitter_tweets set zone_id = $2 where tweet_id in (select tweet_id from twitter_tweets where zone_id = $1 order by id limit 3)`, idle, e.zone)
	claimed, claims := 0, 0
	for pages := 1; claimed < moved && claims < pages/64+2; claims++ {
		pages = e.count(t, `select pg_relation_size('twitter_engagement_tracking')::int / 8192`)
		got := e.claimIn(t, 100)
		claimed += got.Tweets
	}
	if claimed != moved {
		t.Errorf("%d of %d tweets that were moved were claimed, in %d claims", claimed, moved, claims)
	}
	if n := e.count(t, `select count(*) from twitter_engagement_tracking where xmin::text <> (select mode() within group (order by xmin::text) from twitter_engagement_tracking)`); n != moved {
		t.Errorf("%d rows were written, want %d", n, moved)
	}
	var plan string
	for _, s := range store.HotStatements(e.clock.Now(), []uuid.UUID{uuid.New()}, []uuid.UUID{idle}, nil) {
		if s.Name == "claim: tweets that were moved" {
			plan = strings.Join(column[string](t, e, "explain (analyze, buffers) "+s.SQL, s.Args...), "\n")
		}
	}
	if !strings.Contains(plan, "Tid Range Scan") {
		t.Errorf("reads more than some pages:\n%s", plan)
	}
	t.Log(plan)
}

// TestZonesOfInactiveClientsWait: what is due in the zones of a client waits while the client
// is inactive, for claims, refreshes and lists alike, and is due at once when it is active again.
func TestZonesOfInactiveClientsWait(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		client := uuid.New()
		e.exec(t, `insert into clients (id, name, is_active) values ($1, 'client', false)`, client)
		zone := must(e.CreateZone(t.Context(), store.Zone{Name: "of a client", ClientID: client}))(t)
		if zone.Active {
			t.Error("the zone counts as active")
		}
		tweet := e.trackIn(t, zone.ID, newTweets(epoch.Add(-time.Hour), 1))[0]
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, epoch.Add(-time.Hour))
		if claimed := e.claimIn(t, 10); claimed.Tweets != 0 || claimed.MoreDue {
			t.Errorf("claimed %+v of an inactive client", claimed)
		}
		if stats := must(e.Stats(t.Context()))(t); stats.Parked != 1 || stats.DueUnclaimed != 0 || stats.Unusable != 0 {
			t.Errorf("stats %+v", stats)
		}
		if applied := e.refresh(t, e.refreshed(tweet.TweetID, 50)); len(applied.Untracked) != 1 {
			t.Errorf("a refresh wrote %+v", applied)
		}
		if got := must(e.Tweet(t.Context(), tweet.Row))(t); got.ZoneActive {
			t.Error("the tweet's zone counts as active")
		}
		for _, active := range []any{nil, true} {
			e.exec(t, `update clients set is_active = $2 where id = $1`, client, active)
			e.exec(t, `update twitter_engagement_tracking set claim_id = null, claimed_until = null`)
			if claimed := e.claimIn(t, 10); claimed.Tweets != 1 {
				t.Errorf("is_active %v: claimed %+v", active, claimed)
			}
		}
	})
}

// TestUnusableRowsWaitAndAreCounted has rows that no provider can be asked for, as an adopted
// database may hold them: each is written once, counted from then on, and claimed when mended.
func TestUnusableRowsWaitAndAreCounted(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.exec(t, `alter table twitter_tweets alter column zone_id drop not null`)
		e.exec(t, `alter table twitter_engagement_tracking drop constraint twitter_engagement_tracking_tweet_db_id_fkey`)
		ids := []string{"", "abc", "0123", "99999999999999999999", "9999999999999999999", "12 ", "١٢٣"}
		rows := e.trackIn(t, e.zone, newTweets(epoch.Add(-time.Hour), len(ids)+3))
		for i, id := range ids {
			e.exec(t, `update twitter_tweets set tweet_id = $2 where id = $1`, rows[i].Row, id)
		}
		zoneless, orphan := rows[len(ids)], rows[len(ids)+1]
		e.exec(t, `update twitter_tweets set zone_id = null where id = $1`, zoneless.Row)
		e.exec(t, `update twitter_engagement_tracking set zone_id = null where tweet_db_id = $1`, zoneless.Row)
		e.exec(t, `delete from twitter_tweets where id = $1`, orphan.Row)
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, epoch.Add(-time.Hour))
		if claimed := e.claimIn(t, 100); claimed.Tweets != 1 {
			t.Errorf("claimed %+v, want the one good tweet", claimed)
		}
		const versions = `select string_agg(k::text || k.xmin::text, ',' order by k.id) from twitter_engagement_tracking k where zone_id = $1`
		before := scalar[string](t, e, versions, uuid.Nil)
		for range 5 {
			e.clock.advance(time.Hour)
			if claimed := e.claimIn(t, 100); claimed.Tweets+claimed.Parked > 1 {
				t.Errorf("later claimed %+v", claimed)
			}
		}
		if after := scalar[string](t, e, versions, uuid.Nil); after != before {
			t.Error("rows that cannot be looked up were written again")
		}
		want := len(ids) + 2
		if n := e.count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1 and retry_at is null and attempts = 0`, uuid.Nil); n != want {
			t.Errorf("%d rows wait with no zone, want %d", n, want)
		}
		stats := must(e.Stats(t.Context()))(t)
		if stats.Unusable != want || stats.Parked != 0 {
			t.Errorf("%d unusable and %d parked, want %d and 0", stats.Unusable, stats.Parked, want)
		}
		some := must(e.Unusable(t.Context(), 100))(t)
		if len(some) != want {
			t.Errorf("named %v", some)
		}
		e.exec(t, `update twitter_tweets set tweet_id = '42' where id = $1`, rows[0].Row)
		if claimed := e.claimIn(t, 100); !claimed.MoreDue {
			t.Errorf("the mended row was not found: %+v", claimed)
		}
		if n := e.count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1`, uuid.Nil); n != want-1 {
			t.Errorf("%d rows wait with no zone, want %d", n, want-1)
		}
	})
}
