package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

func TestForceDue(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 4)
		other := e.newZone(t)
		e.trackIn(t, other, newTweets(epoch.Add(-time.Hour), 2))
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $1, retry_at = $1`, epoch.Add(time.Hour))
		e.exec(t, `update twitter_engagement_tracking set tier = 'cold', next_update_at = null where tweet_db_id = $1`, tracked[0].Row)
		force := func(f store.DueFilter) int {
			n, err := e.ForceDue(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		tests := []struct {
			name   string
			filter store.DueFilter
			want   int
		}{
			{"no such zone", store.DueFilter{Zone: uuid.New()}, 0},
			{"one zone", store.DueFilter{Zone: other}, 2},
			{"some tweets, live ones", store.DueFilter{TweetIDs: []string{tracked[0].TweetID, tracked[1].TweetID, "77"}}, 1},
			{"some tweets of a zone, cold too", store.DueFilter{Zone: e.zone, TweetIDs: []string{tracked[0].TweetID, tracked[1].TweetID}, IncludeCold: true}, 2},
			{"all live", store.DueFilter{}, 6},
		}
		for _, tt := range tests {
			if n := force(tt.filter); n != tt.want {
				t.Errorf("%s: %d rows, want %d", tt.name, n, tt.want)
			}
		}
		// What is claimed stays claimed.
		batch := e.claim(t)
		if n := force(store.DueFilter{}); n != 6 {
			t.Errorf("forced %d rows, want 6", n)
		}
		if claimed := e.claimIn(t, 100); claimed.Tweets != 0 {
			t.Errorf("%d claimed tweets were claimed again", claimed.Tweets)
		}
		if held, err := e.Held(t.Context(), batch.ClaimID, batch.Rows()); err != nil || len(held) != 6 {
			t.Errorf("the batch holds %d rows (%v), want 6", len(held), err)
		}
		wantOutcomes(t, e.apply(t, e.found(batch, 1)), map[engagement.RowOutcome]int{engagement.RowApplied: 6})
	})
}

func TestForceDueMany(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	populate(t, e, 11_000, 11_000) // more than two chunks
	e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, epoch.Add(time.Hour))
	if n, err := e.ForceDue(t.Context(), store.DueFilter{}); n != 11_000 || err != nil {
		t.Errorf("forced %d (%v)", n, err)
	}
	if n := e.count(t, `select count(*) from twitter_engagement_tracking where next_update_at = $1`, epoch); n != 11_000 {
		t.Errorf("%d rows are due", n)
	}
}
