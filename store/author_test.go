package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/store"
)

// TestAuthorsEarlierTweetsSetTheFirstEstimate, of one zone, whichever provider
// told who the author is.
func TestAuthorsEarlierTweetsSetTheFirstEstimate(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		s := e.with(store.Options{Schedule: store.ScheduleAdaptive, Price: 4})
		other := e.newZone(t)
		n := int64(0)
		tweet := func(raw string, age time.Duration) store.NewTweet {
			n++
			at := e.clock.Now().Add(-age)
			return store.NewTweet{TweetID: engagement.TweetIDAt(at, n), CreatedAt: at, Raw: json.RawMessage(raw), Metrics: likes(0)}
		}
		const pushed, fetched = `{"author": {"id": "77"}}`, `{"author_id": "77"}`
		// Two tweets of 77 that were seen last at two hours, one never looked at, one of
		// another zone and one of another author.
		earlier := []store.NewTweet{tweet(pushed, time.Minute), tweet(fetched, time.Minute), tweet(`{"author": {"id": 78}}`, time.Minute)}
		e.trackIn(t, e.zone, earlier)
		e.trackIn(t, other, []store.NewTweet{tweet(pushed, time.Minute)})
		e.clock.advance(2*time.Hour - time.Minute)
		e.exec(t, `update public.twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
		if _, err := s.Apply(t.Context(), e.found(e.claim(t), 600)); err != nil {
			t.Fatal(err)
		}
		e.exec(t, `insert into public.twitter_tweets (zone_id, tweet_id, text, twitter_created_at, raw_data) values ($1, '1', '', $2, '{"author": {"id": "77"}}')`,
			e.zone, e.clock.Now())

		long := strings.Repeat("9", 4000)
		cases := []struct {
			name string
			raw  string
			past []int64
		}{
			{"pushed", pushed, []int64{600, 600}},
			{"by the X API", fetched, []int64{600, 600}},
			{"another author, a number", `{"author": {"id": "78"}}`, []int64{600}},
			{"an author nothing is known of", `{"author": {"id": "79"}}`, nil},
			{"no author", `{}`, nil},
			{"an author that is no object", `{"author": "77", "author_id": ""}`, nil},
			{"an id that no index would hold", fmt.Sprintf(`{"author": {"id": %q}}`, long), nil},
			{"an array", `[1]`, nil},
		}
		fresh := make([]store.NewTweet, len(cases))
		for i, c := range cases {
			fresh[i] = tweet(c.raw, 0)
		}
		tracked, err := s.Track(t.Context(), e.zone, fresh)
		if err != nil {
			t.Fatal(err)
		}
		model := engagement.DefaultModel()
		for i, c := range cases {
			var past []engagement.PastTweet
			for _, total := range c.past {
				past = append(past, engagement.PastTweet{Total: total, Age: 2 * time.Hour})
			}
			w, err := s.Tweet(t.Context(), tracked[i].Row)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := w.Tracking.Activity.Expected, model.Expect(past); got != want {
				t.Errorf("%s: %g expected, want %g", c.name, got, want)
			}
		}
		// A known author's tweet is looked at sooner: more is expected of it.
		known, unknown := e.nextOf(t, s, tracked[0]), e.nextOf(t, s, tracked[4])
		if !known.Before(unknown) {
			t.Errorf("next look at %s, of an unknown author's at %s", known, unknown)
		}
	})
}

func (e *env) nextOf(t *testing.T, s *store.Store, w store.Tracked) time.Time {
	t.Helper()
	tweet, err := s.Tweet(t.Context(), w.Row)
	if err != nil {
		t.Fatal(err)
	}
	return tweet.Tracking.NextUpdateAt
}
