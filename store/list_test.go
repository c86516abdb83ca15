package store_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/report"
)

func TestList(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(e.clock.Now(), 4)
		for i := range tweets {
			tweets[i].Metrics = likes(int64(100 * i))
		}
		tweets[2].Text = "100% of the <b>Crowd</b>, under_scored"
		tracked := e.trackIn(t, e.zone, tweets)
		other := e.newZone(t)
		e.trackIn(t, other, newTweets(e.clock.Now().Add(-time.Minute), 1))
		e.clock.advance(30 * time.Minute)
		// The smallest moves fastest; the others' velocities are not known.
		e.refresh(t, e.refreshed(tracked[0].TweetID, 50), e.refreshed(tracked[1].TweetID, 110))
		e.exec(t, `update twitter_engagement_tracking set tier = 'cold', snapshot_velocity = 1e6 where tweet_db_id = $1`, tracked[3].Row)

		list := func(q report.ListQuery) report.List {
			t.Helper()
			if q.Limit == 0 {
				q.Limit = 10
			}
			if q.By == "" {
				q.By = report.ListByVelocity
			}
			q.Points = 20
			return must(e.List(t.Context(), q))(t)
		}
		own := []uuid.UUID{e.zone}
		all := list(report.ListQuery{Zones: own})
		if all.Matching != 4 || len(all.Tweets) != 4 {
			t.Fatalf("%d of %d tweets", len(all.Tweets), all.Matching)
		}
		for i, want := range []int{0, 1, 2, 3} { // a cold one comes last, whatever it did once
			if all.Tweets[i].Row != tracked[want].Row {
				t.Errorf("place %d has %s, want tweet %d", i, all.Tweets[i].TweetID, want)
			}
		}
		first := all.Tweets[0]
		if first.Velocity == nil || *first.Velocity != 100 || first.Metrics != likes(50) || first.ZoneID != e.zone || first.ObservedAt.IsZero() {
			t.Errorf("the first is %+v", first)
		}
		if len(first.Points) != 2 || first.Points[0].Total != 0 || first.Points[1].Total != 50 || !first.Points[0].At.Before(first.Points[1].At) {
			t.Errorf("its curve is %+v", first.Points)
		}
		if l := list(report.ListQuery{}); l.Matching != 5 {
			t.Errorf("%d tweets in all zones, want 5", l.Matching)
		}
		if l := list(report.ListQuery{Zones: []uuid.UUID{}}); l.Matching != 0 || len(l.Tweets) != 0 {
			t.Errorf("%d tweets in no zone", l.Matching)
		}
		if l := list(report.ListQuery{Zones: own, Tier: engagement.Cold}); l.Matching != 1 || l.Tweets[0].Row != tracked[3].Row {
			t.Errorf("cold: %+v", l)
		}
		for text, want := range map[string]int{"100%": 1, "%": 1, "r_s": 1, "c_o": 0, "CROWD": 1, "<B>": 1, tracked[1].TweetID: 1, "' or 1=1 --": 0} {
			if l := list(report.ListQuery{Zones: own, Search: text}); l.Matching != want {
				t.Errorf("searched %q: %d tweets, want %d", text, l.Matching, want)
			}
		}
		page := list(report.ListQuery{Zones: own, By: report.ListByEngagement, Offset: 1, Limit: 2})
		if page.Matching != 4 || len(page.Tweets) != 2 || page.Tweets[0].Row != tracked[2].Row || page.Tweets[1].Row != tracked[1].Row {
			t.Errorf("second page by engagement: %+v", page)
		}
		if l := list(report.ListQuery{By: report.ListByPosted, Limit: 5}); l.Tweets[4].ZoneID != other {
			t.Errorf("the oldest is of %s", l.Tweets[4].ZoneID)
		}
		// Every order by what the lists show, both ways; what is not known comes last.
		e.exec(t, `update twitter_tweets set view_count = case tweet_id when $1 then 7 when $2 then 9 end where zone_id = $3`, tracked[1].TweetID, tracked[3].TweetID, e.zone)
		ends := map[report.ListBy]func(report.Listed) (float64, bool){
			report.ListByVelocity: func(l report.Listed) (float64, bool) {
				if l.Velocity == nil || l.Tier == engagement.Cold {
					return 0, false
				}
				return *l.Velocity, true
			},
			report.ListByEngagement: func(l report.Listed) (float64, bool) { return float64(l.Metrics.Total()), true },
			report.ListByViews: func(l report.Listed) (float64, bool) {
				return float64(l.Metrics.Views.Value()), l.Metrics.Views.Known()
			},
			report.ListByPosted: func(l report.Listed) (float64, bool) { return float64(l.CreatedAt.Unix()), true },
			report.ListByUpdated: func(l report.Listed) (float64, bool) {
				return float64(l.ObservedAt.Unix()), !l.ObservedAt.IsZero()
			},
		}
		for _, by := range report.ListOrders() {
			for _, reverse := range []bool{false, true} {
				tweets := list(report.ListQuery{Zones: own, By: by, Reverse: reverse}).Tweets
				for i := range tweets[1:] {
					a, known := ends[by](tweets[i])
					b, knownToo := ends[by](tweets[i+1])
					if len(tweets) != 4 || !known && knownToo || known && knownToo && (reverse && a > b || !reverse && a < b) {
						t.Errorf("by %s, reverse %v: place %d has %v, the next %v", by, reverse, i, a, b)
					}
				}
			}
		}
		if l := list(report.ListQuery{Rows: []uuid.UUID{tracked[2].Row, uuid.New()}}); l.Matching != 1 || l.Tweets[0].Row != tracked[2].Row {
			t.Errorf("by its row: %+v", l)
		}
		if l := list(report.ListQuery{Zones: []uuid.UUID{other}, Rows: []uuid.UUID{tracked[2].Row}}); l.Matching != 0 {
			t.Errorf("a row of another zone: %+v", l)
		}
		if _, err := e.List(t.Context(), report.ListQuery{By: "id; drop table zones", Limit: 1}); err == nil {
			t.Error("an order that does not exist was taken")
		}
	})
}

// TestVelocityIsKept: a look that adds no snapshot leaves the velocity of the last.
func TestVelocityIsKept(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	tweets := newTweets(e.clock.Now(), 1)
	tweets[0].Metrics = likes(0)
	tracked := e.trackIn(t, e.zone, tweets)
	velocity := func() *float64 {
		return scalar[*float64](t, e, `select snapshot_velocity from twitter_engagement_tracking where tweet_db_id = $1`, tracked[0].Row)
	}
	if v := velocity(); v != nil {
		t.Errorf("velocity %g before the first look", *v)
	}
	e.clock.advance(time.Hour)
	e.refresh(t, e.refreshed(tracked[0].TweetID, 60))
	if v := velocity(); v == nil || *v != 60 {
		t.Errorf("velocity %v, want 60", v)
	}
	e.clock.advance(10 * time.Second)
	e.refresh(t, e.refreshed(tracked[0].TweetID, 70))
	if v := velocity(); v == nil || *v != 60 {
		t.Errorf("velocity %v after a look without a snapshot, want 60", v)
	}
}

func TestRecent(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		empty := must(e.Recent(t.Context(), e.clock.Now().Add(-5*time.Minute), 5))(t)
		if len(empty.Steps) != 5 || empty.Found != 0 || empty.LatencyMax != 0 {
			t.Errorf("nothing done: %+v", empty)
		}
		e.track(t, 10)
		claimed := e.claimIn(t, 5)
		begin := e.clock.Now()
		e.clock.advance(10 * time.Second)
		work := e.found(claimed.Batches[0], 3)
		work.Results[4].Kind = store.Missing
		work.Calls = []store.Calls{{Count: 2, Failed: 1, Time: 500 * time.Millisecond}}
		e.apply(t, work)
		e.clock.advance(40 * time.Second)
		work = e.found(claimed.Batches[1], 3)
		work.Results[0].Kind = store.Unresolved
		work.Calls = []store.Calls{{Count: 1, Time: 100 * time.Millisecond}}
		e.apply(t, work)
		e.clock.advance(10 * time.Second)

		r := must(e.Recent(t.Context(), begin, 6))(t)
		want := report.RecentWork{Batches: 2, Found: 8, Missing: 1, Unresolved: 1, Calls: store.Calls{Count: 3, Failed: 1, Time: 600 * time.Millisecond}}
		if !reflect.DeepEqual(r.RecentWork, want) {
			t.Errorf("%+v, want %+v", r.RecentWork, want)
		}
		if r.LatencyMean != 30*time.Second || r.LatencyMax != 50*time.Second || r.LatencyP95 != 48*time.Second {
			t.Errorf("latency %s, %s, %s", r.LatencyMean, r.LatencyP95, r.LatencyMax)
		}
		if len(r.Steps) != 6 || r.Steps[1].Found != 4 || r.Steps[5].Found != 4 || r.Steps[3].Batches != 0 || !r.Steps[1].From.Equal(begin.Add(10*time.Second)) {
			t.Errorf("steps %+v", r.Steps)
		}
	})
}
