package untracked_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store/storetest"
	"gorgone/store/untracked"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestTracksWhatTheProductInserts: tweets that were inserted by SQL are tracked and due at
// once, and nothing else is touched.
func TestTracksWhatTheProductInserts(t *testing.T) {
	t.Parallel()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		f := untracked.New(e.DB, e.Clock, e.Store)
		now := e.Clock.Now()
		idle := e.NewZone(t)
		e.Exec(t, `update zones set is_active = false where id = $1`, idle)
		insert := func(zone uuid.UUID, age time.Duration, id string) {
			e.Exec(t, `insert into twitter_tweets (zone_id, tweet_id, text, twitter_created_at, raw_data, like_count, updated_at)
				values ($1, $2, 'inserted', $3, '{}', 7, $3)`, zone, id, now.Add(-age))
		}
		for i := range 3 {
			insert(e.ZoneID, time.Hour, engagement.TweetIDAt(now.Add(-time.Hour), int64(100+i)))
		}
		insert(e.ZoneID, 48*time.Hour, "17")    // old
		insert(e.ZoneID, -time.Hour, "18")      // not posted yet
		insert(e.ZoneID, time.Hour, "no tweet") // not to be asked for
		insert(idle, time.Hour, "19")
		e.TrackNew(t, 1)
		const rows = `select coalesce(string_agg(w::text || w.xmin::text, ',' order by w.id), '') from twitter_tweets w`
		var before, after string
		testkit.Must(t, e.Raw.QueryRow(t.Context(), rows).Scan(&before))
		young := untracked.Query{Since: now.Add(-12 * time.Hour)}
		for _, tc := range []struct {
			query untracked.Query
			want  int
		}{
			{untracked.Query{Zone: idle}, 0},
			{untracked.Query{Zone: uuid.New()}, 0},
			{untracked.Query{Since: young.Since, Limit: 2}, 2},
			{young, 1},
			{young, 0},
			{untracked.Query{}, 1},
			{untracked.Query{}, 0},
		} {
			if n, err := f.Track(t.Context(), tc.query); err != nil || n != tc.want {
				t.Errorf("%+v: %d, %v, want %d", tc.query, n, err, tc.want)
			}
		}
		testkit.Must(t, e.Raw.QueryRow(t.Context(), rows).Scan(&after))
		if before != after {
			t.Error("tweets were written")
		}
		if n := e.Count(t, `select count(*) from twitter_engagement_history`); n != 0 {
			t.Errorf("%d points of history were made up", n)
		}
		if claimed := e.ClaimIn(t, 100); claimed.Tweets != 5 {
			t.Errorf("claimed %d, want 5", claimed.Tweets)
		}
	})
}

// TestARowTwiceInItsZone ends: a database without uniqueness may hold a tweet twice.
func TestARowTwiceInItsZone(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, "prepared")
	e.Exec(t, `alter table twitter_tweets drop constraint twitter_tweets_tweet_id_zone_id_key`)
	e.Exec(t, `insert into twitter_tweets (zone_id, tweet_id, text, twitter_created_at, raw_data)
		select $1, (20 + i / 2)::text, '', $2, '{}' from generate_series(1, 3001) i`, e.ZoneID, e.Clock.Now())
	if n, err := untracked.New(e.DB, e.Clock, e.Store).Track(t.Context(), untracked.Query{}); err != nil || n < 1501 {
		t.Errorf("tracked %d, %v, want one row of each tweet at least", n, err)
	}
}
