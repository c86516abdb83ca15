package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// TestClaimIsSharedByZones has zones with 200, 30, 20 and 5 due tweets, the more
// the longer overdue. What is claimed is shared out equally, and what a zone does
// not need goes to the others.
func TestClaimIsSharedByZones(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		want int
		got  [4]int
		more bool
	}{
		{want: 1000, got: [4]int{200, 30, 20, 5}},
		{want: 120, got: [4]int{65, 30, 20, 5}, more: true},
		{want: 65, got: [4]int{20, 20, 20, 5}, more: true},
		{want: 20, got: [4]int{5, 5, 5, 5}, more: true},
		{want: 8, got: [4]int{2, 2, 2, 2}, more: true},
	} {
		e := newEnv(t, postgres.ExecPooled)
		var (
			zones [4]uuid.UUID
			byID  = map[string]int{}
			first int64
		)
		for z, n := range [4]int{200, 30, 20, 5} {
			zones[z] = e.newZone(t)
			at := epoch.Add(time.Duration(z-10) * time.Minute)
			var tweets []store.NewTweet
			for range n {
				first++
				id := engagement.TweetIDAt(at, first)
				byID[id] = z
				tweets = append(tweets, store.NewTweet{TweetID: id, CreatedAt: at})
			}
			e.trackIn(t, zones[z], tweets)
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $2 where zone_id = $1`, zones[z], at)
		}
		claimed, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: tc.want, BatchTweets: 1000, BatchRows: 1000, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		var got [4]int
		last := -1
		for _, w := range claimed.Batches[0].Tweets {
			z := byID[w.TweetID]
			got[z]++
			if z < last {
				t.Errorf("claim of %d: not in due order", tc.want)
			}
			last = z
		}
		if got != tc.got || claimed.MoreDue != tc.more {
			t.Errorf("claim of %d: %v and more due %v, want %v and %v", tc.want, got, claimed.MoreDue, tc.got, tc.more)
		}
	}
}

// TestNoZoneIsLastForEver has more zones with a backlog than tweets may be claimed,
// and one of them was there before all others.
func TestNoZoneIsLastForEver(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPooled)
	var zones []uuid.UUID
	for z := range 5 {
		zone := e.newZone(t)
		zones = append(zones, zone)
		var tweets []store.NewTweet
		for i := range 60 {
			at := epoch.Add(time.Duration(z-10) * time.Minute)
			tweets = append(tweets, store.NewTweet{TweetID: engagement.TweetIDAt(at, int64(z*100+i)), CreatedAt: at})
		}
		e.trackIn(t, zone, tweets)
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $2 where zone_id = $1`, zone, epoch.Add(time.Duration(z-10)*time.Minute))
	}
	for range 40 {
		claimed, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 3, BatchTweets: 3, BatchRows: 3, Lease: time.Hour})
		if err != nil || claimed.Tweets != 3 {
			t.Fatalf("claimed %d tweets, %v", claimed.Tweets, err)
		}
		e.clock.advance(time.Second)
	}
	for z, zone := range zones {
		// 24 each, if all were the same.
		if n := e.count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1 and claim_id is not null`, zone); n < 8 {
			t.Errorf("zone %d got %d of 120 places", z, n)
		}
	}
}

// TestClaimFindsTheZonesOfRows has rows as the product inserts them, without a
// zone, and as an earlier version of the engine left them.
func TestClaimFindsTheZonesOfRows(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 20)
		e.exec(t, `update twitter_engagement_tracking set zone_id = null`)
		if claimed := e.claimIn(t, 100); claimed.Tweets != 20 {
			t.Errorf("claimed %+v", claimed)
		}
		if n := e.count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1`, e.zone); n != 20 {
			t.Errorf("%d rows know their zone, want 20", n)
		}
	})
}

func TestMigrateFindsTheZonesOfRows(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.track(t, 20)
	e.exec(t, `update twitter_engagement_tracking set zone_id = null`)
	e.exec(t, `create index gorgone_tracking_due on twitter_engagement_tracking (tier)`)
	migrate(t, e.url)
	if n := e.count(t, `select count(*) from twitter_engagement_tracking where zone_id = $1`, e.zone); n != 20 {
		t.Errorf("%d rows know their zone, want 20", n)
	}
	if n := e.count(t, `select count(*) from pg_class where relname = 'gorgone_tracking_due'`); n != 0 {
		t.Error("the index of earlier versions is still there")
	}
}

// TestClaimFollowsATweetThatMoved: a row that was counted with a zone that is inactive
// now, or gone, is put with the zone of its tweet, and claimed by the next claim, which
// comes at once.
func TestClaimFollowsATweetThatMoved(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		left := e.newZone(t)
		tracked := e.trackIn(t, left, newTweets(e.clock.Now(), 2))
		e.exec(t, `update twitter_tweets set zone_id = $1`, e.zone)
		e.exec(t, `update zones set is_active = false where id = $1`, left)
		e.exec(t, `update twitter_engagement_tracking set zone_id = $2 where tweet_db_id = $1`, tracked[0].Row, uuid.New())
		if claimed := e.claimIn(t, 100); claimed.Tweets != 0 || !claimed.MoreDue {
			t.Errorf("at first claimed %+v", claimed)
		}
		if claimed := e.claimIn(t, 100); claimed.Tweets != 2 || claimed.Parked != 0 {
			t.Errorf("then claimed %+v", claimed)
		}
	})
}
