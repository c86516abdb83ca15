package report_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/store/report"
	"gorgone/store/storetest"
)

func TestTop(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		tweets := storetest.NewTweets(e.Clock.Now(), 4)
		for i := range tweets {
			tweets[i].Metrics = storetest.Likes(int64(100 * i))
		}
		old := storetest.NewTweets(e.Clock.Now().Add(-48*time.Hour), 1)
		old[0].Metrics = storetest.Likes(100_000)
		tracked := e.TrackIn(t, e.ZoneID, append(tweets, old...))
		other := e.NewZone(t)
		e.TrackIn(t, other, storetest.NewTweets(e.Clock.Now(), 1))
		e.Clock.Advance(30 * time.Minute)
		// The smallest moves fastest.
		e.MustRefresh(t, e.Refreshed(tracked[0].TweetID, 50), e.Refreshed(tracked[1].TweetID, 110))

		query := report.TopQuery{Zones: []uuid.UUID{e.ZoneID}, Since: storetest.Epoch().Add(-time.Hour), By: report.ByVelocity, Limit: 3}
		top := storetest.Value(e.Top(t.Context(), query))(t)
		if len(top) != 3 || top[0].Row != tracked[0].Row || top[1].Row != tracked[1].Row || top[2].Row != tracked[3].Row {
			t.Fatalf("by velocity: %+v", top)
		}
		if top[0].Velocity == nil || *top[0].Velocity != 100 || top[0].Metrics != storetest.Likes(50) || top[2].Velocity != nil {
			t.Errorf("by velocity: %+v", top)
		}
		query.By = report.ByEngagement
		top = storetest.Value(e.Top(t.Context(), query))(t)
		if len(top) != 3 || top[0].Row != tracked[3].Row || top[2].Row != tracked[1].Row || *top[2].Velocity != 20 {
			t.Errorf("by engagement: %+v", top)
		}
		query.Zones, query.Limit = nil, 100
		if top := storetest.Value(e.Top(t.Context(), query))(t); len(top) != 5 {
			t.Errorf("in all zones: %d tweets, want 5", len(top))
		}
		query.By = "name; drop table zones"
		if _, err := e.Top(t.Context(), query); err == nil {
			t.Error("an order that does not exist was taken")
		}
	})
}
