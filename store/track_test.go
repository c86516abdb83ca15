package store_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

func TestTrack(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		posted := epoch.Add(-30 * time.Minute)
		tweets := newTweets(posted, 3)
		tweets[0].Metrics = likes(12)
		tweets[0].Text = "hello\nworld 🙂"
		tweets[0].Raw = json.RawMessage(`{"id": 1}`)
		tracked := e.trackIn(t, e.zone, []store.NewTweet{tweets[2], tweets[0], tweets[1], tweets[0]})
		for i, want := range []string{tweets[2].TweetID, tweets[0].TweetID, tweets[1].TweetID, tweets[0].TweetID} {
			if w := tracked[i]; w.TweetID != want || w.Status != store.StatusTracked || w.Row == uuid.Nil {
				t.Errorf("tracked %d: %+v", i, w)
			}
		}
		known, err := e.Tweet(t.Context(), tracked[1].Row)
		if err != nil {
			t.Fatal(err)
		}
		want := engagement.Tracking{
			TweetID: tweets[0].TweetID, CreatedAt: posted, Tier: engagement.UltraHot, Metrics: likes(12),
			NextUpdateAt: posted.Add(40 * time.Minute), SnapshotAt: epoch, Snapshot: likes(12),
		}
		if known.Tracking != want || known.Text != tweets[0].Text || known.ZoneName != "zone" || !known.ZoneActive {
			t.Errorf("stored %+v\nwant   %+v", known, want)
		}
		points := e.snapshots(t, known.Row)
		if len(points) != 1 || !points[0].At.Equal(epoch) || points[0].Metrics != likes(12) || points[0].Velocity != nil {
			t.Errorf("baseline %+v", points)
		}
		unknown, err := e.Tweet(t.Context(), tracked[0].Row)
		if err != nil {
			t.Fatal(err)
		}
		if unknown.Tracking.Metrics.Known() || !unknown.Tracking.NextUpdateAt.Equal(epoch) || len(e.snapshots(t, unknown.Row)) != 0 {
			t.Errorf("without counts: %+v", unknown.Tracking)
		}
		again := e.trackIn(t, e.zone, tweets)
		for i, w := range again {
			if w.Status != store.StatusAlready || w.TweetID != tweets[i].TweetID {
				t.Errorf("tracked again: %+v", w)
			}
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != 1 {
			t.Errorf("%d snapshots after tracking again, want 1", n)
		}
	})
}

func TestTrackMany(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.trackIn(t, e.zone, newTweets(epoch, 2500))
		rows := map[uuid.UUID]bool{}
		for _, w := range tracked {
			rows[w.Row] = true
		}
		if n := e.count(t, `select count(*) from twitter_engagement_tracking`); n != 2500 || len(rows) != 2500 {
			t.Errorf("%d rows tracked, %d reported", n, len(rows))
		}
	})
}

func TestTrackRefuses(t *testing.T) {
	t.Parallel()
	good := newTweets(epoch, 1)[0]
	with := func(change func(*store.NewTweet)) store.NewTweet {
		w := good
		change(&w)
		return w
	}
	tests := []struct {
		name  string
		tweet store.NewTweet
		want  error // nil: any
	}{
		{"an id that is none", with(func(w *store.NewTweet) { w.TweetID = "abc" }), engagement.ErrTweetID},
		{"no date", with(func(w *store.NewTweet) { w.CreatedAt = time.Time{} }), nil},
		{"a time to come", with(func(w *store.NewTweet) { w.CreatedAt = epoch.Add(6 * time.Minute) }), store.ErrBadTweet},
		{"counts out of range", with(func(w *store.NewTweet) { w.Metrics = likes(3e9) }), engagement.ErrOutOfRange},
		{"bad JSON", with(func(w *store.NewTweet) { w.Raw = json.RawMessage(`{`) }), nil},
		{"JSON that Postgres refuses", with(func(w *store.NewTweet) { w.Raw = json.RawMessage(`"\u0000"`) }), nil},
		{"text with a NUL", with(func(w *store.NewTweet) { w.Text = "a\x00b" }), nil},
		{"text that is not UTF-8", with(func(w *store.NewTweet) { w.Text = "a\xff" }), nil},
	}
	e := newEnv(t, postgres.ExecPrepared)
	for _, tt := range tests {
		_, err := e.Track(t.Context(), e.zone, []store.NewTweet{good, tt.tweet})
		if err == nil || (tt.want != nil && !errors.Is(err, tt.want)) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := e.Track(t.Context(), uuid.New(), []store.NewTweet{good}); !errors.Is(err, store.ErrZoneNotFound) {
		t.Errorf("unknown zone: %v", err)
	}
	if n := e.count(t, `select count(*) from twitter_tweets`); n != 0 {
		t.Errorf("%d tweets were written", n)
	}
}

// TestTrackAtOnce tracks overlapping lists, in opposite orders, all at once.
func TestTrackAtOnce(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(epoch, 300)
		backwards := make([]store.NewTweet, len(tweets))
		for i, w := range tweets {
			w.Metrics = likes(1)
			tweets[i] = w
			backwards[len(tweets)-1-i] = w
		}
		var wg conc.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				list := tweets[i*10:]
				if i%2 == 1 {
					list = backwards[i*10:]
				}
				tracked, err := e.Track(t.Context(), e.zone, list)
				if err != nil {
					t.Error(err)
				}
				for _, w := range tracked {
					if w.Status != store.StatusTracked && w.Status != store.StatusAlready {
						t.Errorf("%+v", w)
					}
				}
			})
		}
		wg.Wait()
		for table, want := range map[string]int{"twitter_tweets": 300, "twitter_engagement_tracking": 300, "twitter_engagement_history": 300} {
			if n := e.count(t, `select count(*) from `+table); n != want {
				t.Errorf("%d rows in %s, want %d", n, table, want)
			}
		}
	})
}

// TestTrackOldTweet tracks a tweet that no tier is for: it gets one look.
func TestTrackOldTweet(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(epoch.Add(-48*time.Hour), 1)
		tweets[0].Metrics = likes(3)
		e.trackIn(t, e.zone, tweets)
		applied := e.apply(t, e.found(e.claim(t), 4))
		if a := applied.Rows[0].After; a.Tier != engagement.Cold || !a.NextUpdateAt.IsZero() {
			t.Errorf("after its one look: %+v", a)
		}
		e.clock.advance(24 * time.Hour)
		if claimed := e.claimIn(t, 10); claimed.Tweets != 0 {
			t.Error("looked at again")
		}
	})
}
