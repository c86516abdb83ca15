package store_test

import (
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

func TestZoneMinimum(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.exec(t, `update zones set settings = '{"min_engagement": 10}' where id = $1`, e.zone)
		tweets := newTweets(e.clock.Now(), 2)
		tweets[0].Metrics, tweets[1].Metrics = likes(3), likes(12)
		tracked := e.trackIn(t, e.zone, tweets)
		open := e.newZone(t)
		unlimited := e.trackIn(t, open, tweets[:1])
		due := func(n int, tracked []store.Tracked) time.Duration {
			next := must(e.Tweet(t.Context(), tracked[n].Row))(t).Tracking.NextUpdateAt
			if next.IsZero() {
				return 0
			}
			return next.Sub(epoch)
		}
		if due(0, tracked) != engagement.SecondLookup || due(1, tracked) != 10*time.Minute || due(0, unlimited) != 10*time.Minute {
			t.Errorf("next looks after %s, %s and in another zone %s", due(0, tracked), due(1, tracked), due(0, unlimited))
		}
		e.clock.advance(engagement.SecondLookup)
		batch := e.claim(t)
		wantOutcomes(t, e.apply(t, e.found(batch, 5)), map[engagement.RowOutcome]int{engagement.RowApplied: 3})
		if due(0, tracked) != 0 || due(0, unlimited) == 0 {
			t.Errorf("after the second look: next at %s, in another zone at %s", due(0, tracked), due(0, unlimited))
		}
		e.clock.advance(time.Minute)
		e.refresh(t, e.refreshed(tracked[0].TweetID, 50))
		if due(0, tracked) == 0 {
			t.Error("a refresh that shows enough did not bring it back")
		}
	})
}

func TestZoneMinimumThatIsNone(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	for _, settings := range []string{`null`, `{}`, `{"min_engagement": "ten"}`, `{"min_engagement": 0}`, `{"min_engagement": -5}`, `{"min_engagement": {}}`, `[]`, `{"min_engagement": 1e300}`} {
		e.exec(t, `update zones set settings = $1::text::jsonb`, settings)
		tweets := newTweets(e.clock.Now(), 1)
		if _, err := e.Track(t.Context(), e.zone, tweets); err != nil {
			t.Errorf("settings %s: %v", settings, err)
		}
	}
}
