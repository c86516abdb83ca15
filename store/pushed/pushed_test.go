package pushed_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
	"gorgone/store/pushed"
	"gorgone/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func likes(n int64) engagement.Metrics {
	zero := engagement.Known(0)
	return engagement.Metrics{Retweets: zero, Replies: zero, Likes: engagement.Known(n), Quotes: zero}
}

func observation(id string, at time.Time, n int64) pushed.Observation {
	return pushed.Observation{TweetID: id, Call: 1, Observation: engagement.Observation{At: at, Metrics: likes(n), Provider: "twitterapi.io"}}
}

// TestPushedCountsAreFreeAndMarked: of a tracked tweet they become a marked snapshot, cost
// nothing, put the next look-up off and answer a batch in flight; an untracked tweet, an older
// observation, one of the same minute, and one that cannot be are passed over.
func TestPushedCountsAreFreeAndMarked(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	w := pushed.New(e.DB, e.Clock, e.Store)
	tweet := e.TrackNew(t, 1)[0]
	ctx := t.Context()
	observe := func(o ...pushed.Observation) store.Applied {
		t.Helper()
		applied, err := w.Observe(ctx, o)
		testkit.Must(t, err)
		return applied
	}
	batch := e.ClaimAll(t)
	e.Clock.Advance(5 * time.Minute)
	first := e.Clock.Now()
	if a := observe(observation(tweet.TweetID, first.Add(-time.Second), 4), observation(tweet.TweetID, first, 5), observation("1", first, 9)); len(a.Rows) != 1 ||
		a.Rows[0].Outcome != engagement.RowApplied || len(a.Untracked) != 0 {
		t.Errorf("%+v", a)
	}
	if held, err := e.Held(ctx, batch.ClaimID, []uuid.UUID{tweet.Row}); err != nil || len(held) != 0 {
		t.Errorf("the batch in flight still holds %d rows: %v", len(held), err)
	}
	e.Clock.Advance(10 * time.Minute)
	for name, o := range map[string]pushed.Observation{
		"older":                observation(tweet.TweetID, first.Add(-time.Minute), 3),
		"of the same minute":   observation(tweet.TweetID, first.Add(30*time.Second), 6),
		"of the future":        observation(tweet.TweetID, e.Clock.Now().Add(time.Hour), 7),
		"more than can be":     observation(tweet.TweetID, e.Clock.Now(), engagement.MaxCount+1),
		"all that it had gone": observation(tweet.TweetID, e.Clock.Now(), 0),
	} {
		if name == "all that it had gone" {
			observe(observation(tweet.TweetID, e.Clock.Now(), 50)) // from 10 on it is not believed to have none
			e.Clock.Advance(2 * time.Minute)
			o.At = e.Clock.Now()
		}
		for _, r := range observe(o).Rows {
			if r.Outcome == engagement.RowApplied {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	points, err := e.History(ctx, tweet.Row, history.Range{})
	testkit.Must(t, err)
	if len(points) != 2 || !points[0].Pushed || !points[0].At.Equal(first) || points[0].Metrics.Likes.Value() != 5 || points[1].Metrics.Likes.Value() != 50 {
		t.Errorf("%d points: %+v", len(points), points)
	}
	var attempts, ledger int
	testkit.Must(t, e.Raw.QueryRow(ctx, `select attempts, (select count(*) from gorgone.ledger) from twitter_engagement_tracking`).Scan(&attempts, &ledger))
	if attempts != 0 || ledger != 0 {
		t.Errorf("%d failures, %d lines in the ledger", attempts, ledger)
	}
	// A look-up afterwards is not marked.
	e.Clock.Advance(10 * time.Minute)
	_, err = e.ApplyRefresh(ctx, []store.RefreshResult{{
		TweetID: tweet.TweetID, RequestedAt: e.Clock.Now(), Kind: store.Found, Observation: observation("", e.Clock.Now(), 60).Observation,
	}})
	testkit.Must(t, err)
	points, err = e.History(ctx, tweet.Row, history.Range{})
	testkit.Must(t, err)
	if n := len(points); n != 3 || points[2].Pushed {
		t.Errorf("after a look-up: %+v", points)
	}
}

// TestAnAnswerBringsALookUpForward: to half of the wait, once until the next observation, and
// never of a claimed tweet, nor of a zone that goes by the tiers.
func TestAnAnswerBringsALookUpForward(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	e.Store = store.New(e.DB, e.Clock, store.Options{Schedule: store.ScheduleAdaptive, Price: 0.05})
	w := pushed.New(e.DB, e.Clock, e.Store)
	tweet := e.TrackNew(t, 1)[0]
	ctx := t.Context()
	tiers := e.NewZone(t)
	e.Exec(t, `update zones set settings = '{"schedule": "tiers"}' where id = $1`, tiers)
	fixed := storetest.NewTweets(e.Clock.Now(), 2)[1].TweetID
	e.TrackIn(t, tiers, storetest.NewTweets(e.Clock.Now(), 2)[1:])
	e.Clock.Advance(2 * time.Hour)
	_, err := w.Observe(ctx, []pushed.Observation{observation(tweet.TweetID, e.Clock.Now(), 5), observation(fixed, e.Clock.Now(), 5)})
	testkit.Must(t, err)
	observed := e.Clock.Now()
	due := func() (at time.Time) {
		t.Helper()
		testkit.Must(t, e.Raw.QueryRow(ctx, `select next_update_at from twitter_engagement_tracking where tweet_db_id = $1`, tweet.Row).Scan(&at))
		return at
	}
	wait := due().Sub(observed)
	pull := func(want int) {
		t.Helper()
		n, err := w.PullForward(ctx, []string{tweet.TweetID, fixed, "1"})
		testkit.Must(t, err)
		if n != want {
			t.Errorf("%d rows were brought forward, want %d", n, want)
		}
	}
	e.Clock.Advance(time.Minute)
	pull(1)
	if got := due().Sub(observed); got != wait/2 {
		t.Errorf("due %s after the observation, want half of %s", got, wait)
	}
	pull(0)
	e.Clock.Advance(wait)
	e.ClaimAll(t)
	pull(0)
}
