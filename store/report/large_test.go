package report_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/report"
	"gorgone/store/storetest"
)

// A page of a large table is the one that a look at all rows gives, whatever it was found by.
func TestPagesOfALargeTable(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		other := e.NewZone(t)
		for i := range 60 {
			zone := e.ZoneID
			if i%3 == 0 {
				zone = other
			}
			at := e.Clock.Now().Add(-time.Duration(i*i) * time.Minute)
			tweets := storetest.NewTweets(at, 1)
			tweets[0].Text = fmt.Sprintf("tweet %d", i)
			e.TrackIn(t, zone, tweets)
		}
		e.Exec(t, `update twitter_engagement_tracking set snapshot_velocity = case when hashtext(tweet_db_id::text) % 5 <> 0 then abs(hashtext(tweet_db_id::text)) % 8 * 5 end`)
		e.Exec(t, `update twitter_engagement_tracking set tier = 'cold', next_update_at = null where abs(hashtext(id::text)) % 4 = 0`)
		// Counts of the last snapshot as they are in the tweets, but for those of some rows; ties.
		e.Exec(t, `update twitter_tweets set like_count = 990 + abs(hashtext(id::text)) % 30, quote_count = case when hashtext(id::text) % 3 = 0 then 2 end, view_count = abs(hashtext(id::text)) % 7`)
		e.Exec(t, `
			update twitter_engagement_tracking k set snapshot_at = twitter_created_at, last_updated_at = twitter_created_at, snapshot_likes = like_count, snapshot_quotes = coalesce(quote_count, 0), snapshot_retweets = 0, snapshot_replies = 0
			from twitter_tweets w where w.id = k.tweet_db_id`)
		e.Exec(t, `update twitter_engagement_tracking set snapshot_at = null, snapshot_likes = null where hashtext(id::text) % 7 = 0`)
		e.Exec(t, `update twitter_engagement_tracking set snapshot_at = snapshot_at - interval '10 seconds', snapshot_likes = 1030 where hashtext(id::text) % 7 = 1`)
		e.Exec(t, `update twitter_engagement_tracking set snapshot_likes = null where hashtext(id::text) % 7 = 2`)
		e.Exec(t, `analyze twitter_engagement_tracking`)
		id := storetest.Scalar[string](t, e, `select tweet_id from twitter_tweets order by tweet_id limit 1`)

		for _, walk := range []int{3, 25, 1000} {
			large := report.New(e.DB, e.Clock)
			large.Large(1, walk)
			for _, zones := range [][]uuid.UUID{nil, {e.ZoneID}, {other}, {uuid.New()}, {}} {
				sameLists(t, e, large, zones, id)
				sameTops(t, e, large, zones)
				want := storetest.Value(e.ZoneStates(t.Context(), zones))(t)
				if got := storetest.Value(large.ZoneStates(t.Context(), zones))(t); fmt.Sprint(got) != fmt.Sprint(want) { // the sample is all
					t.Errorf("zones %v, want %v", got, want)
				}
			}
		}
	})
}

// sameLists compares pages of lists with those that a look at all rows gives.
func sameLists(t *testing.T, e *storetest.Env, large *report.Reader, zones []uuid.UUID, id string) {
	t.Helper()
	for _, by := range report.ListOrders() {
		for _, q := range []report.ListQuery{
			{Limit: 10},
			{Limit: 10, Offset: 10},
			{Limit: 30, Offset: 30},
			{Limit: 10, Offset: 70},
			{Limit: 5, Tier: engagement.Cold},
			{Limit: 5, Tier: engagement.Warm},
			{Limit: 10, Reverse: true},
			{Limit: 10, Search: id},
			{Limit: 10, Search: "tweet 1"},
			{Limit: 10, Search: "123456789012345678"},
		} {
			q.Zones, q.By, q.Points = zones, by, 2
			want := storetest.Value(e.List(t.Context(), q))(t)
			got := storetest.Value(large.List(t.Context(), q))(t)
			if fmt.Sprintf("%+v", rowsOf(got)) != fmt.Sprintf("%+v", rowsOf(want)) {
				t.Errorf("%+v:\n%v, want\n%v", q, rowsOf(got), rowsOf(want))
			}
			if got.Matching < min(want.Matching, q.Offset+len(want.Tweets)) {
				t.Errorf("%+v: %d match, %d are listed", q, got.Matching, q.Offset+len(want.Tweets))
			}
		}
	}
}

// sameTops does so for tops.
func sameTops(t *testing.T, e *storetest.Env, large *report.Reader, zones []uuid.UUID) {
	t.Helper()
	for _, by := range []report.TopBy{report.ByVelocity, report.ByEngagement} {
		for _, since := range []time.Duration{time.Hour, 6 * time.Hour, 30 * 24 * time.Hour} {
			for _, page := range [][2]int{{5, 0}, {5, 5}, {24, 0}, {20, 20}, {100, 0}} {
				q := report.TopQuery{Zones: zones, By: by, Since: e.Clock.Now().Add(-since), Limit: page[0], Offset: page[1]}
				want := storetest.Value(e.Top(t.Context(), q))(t)
				got := storetest.Value(large.Top(t.Context(), q))(t)
				if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
					t.Errorf("%+v:\n%+v, want\n%+v", q, got, want)
				}
				count := storetest.Value(e.CountTop(t.Context(), q))(t)
				if n := storetest.Value(large.CountTop(t.Context(), q))(t); n != count { // few are counted
					t.Errorf("%+v: %d in all, want %d", q, n, count)
				}
			}
		}
	}
}

func rowsOf(l report.List) (rows []uuid.UUID) {
	for _, w := range l.Tweets {
		rows = append(rows, w.Row)
	}
	return rows
}
