package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/history"
)

func TestHistoryRange(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		for n := range int64(5) {
			e.apply(t, e.found(e.claim(t), n))
			e.clock.advance(10 * time.Minute)
		}
		at := func(n int) time.Time { return epoch.Add(time.Duration(n) * 10 * time.Minute) }
		tests := []struct {
			name string
			r    history.Range
			want []int64
		}{
			{"all", history.Range{}, []int64{0, 1, 2, 3, 4}},
			{"the latest two", history.Range{Limit: 2}, []int64{3, 4}},
			{"from, inclusive", history.Range{From: at(3)}, []int64{3, 4}},
			{"to, exclusive", history.Range{To: at(2)}, []int64{0, 1}},
			{"the latest of a range", history.Range{From: at(1), To: at(4), Limit: 1}, []int64{3}},
			{"nothing", history.Range{From: at(9)}, nil},
		}
		for _, tt := range tests {
			points := must(e.History(t.Context(), row, tt.r))(t)
			var got []int64
			for _, p := range points {
				got = append(got, p.Metrics.Likes.Value())
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	})
}

func TestFindTweet(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(epoch, 1)
		first := e.trackIn(t, e.zone, tweets)[0]
		e.trackIn(t, e.newZone(t), tweets)
		if found := must(e.FindTweet(t.Context(), first.TweetID))(t); len(found) != 2 {
			t.Errorf("by tweet id: %+v, want both zones' rows", found)
		}
		for _, address := range []string{"https://x.com/i/status/", "https://mobile.twitter.com/jack/status/"} {
			if found := must(e.FindTweet(t.Context(), address+first.TweetID+"?s=20"))(t); len(found) != 2 {
				t.Errorf("by address: %+v, want both zones' rows", found)
			}
		}
		if found := must(e.FindTweet(t.Context(), first.Row.String()))(t); len(found) != 1 || found[0].Row != first.Row {
			t.Errorf("by row: %+v", found)
		}
		for ref, want := range map[string]error{
			"123":                              store.ErrTweetNotFound,
			uuid.NewString():                   store.ErrTweetNotFound,
			"'; drop table":                    engagement.ErrTweetID,
			"https://evil.example/x/status/20": engagement.ErrTweetID,
			"":                                 engagement.ErrTweetID,
		} {
			if _, err := e.FindTweet(t.Context(), ref); !errors.Is(err, want) {
				t.Errorf("%q: %v, want %v", ref, err, want)
			}
		}
		e.exec(t, `delete from twitter_engagement_tracking where tweet_db_id = $1`, first.Row)
		if w := must(e.Tweet(t.Context(), first.Row))(t); w.Tracked || !w.Tracking.CreatedAt.Equal(epoch) {
			t.Errorf("not tracked: %+v", w)
		}
	})
}

const inDefault = `select count(*) from gorgone.history_default`

// TestPartitions writes snapshots of days with and without a partition.
func TestPartitions(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		look := func() {
			t.Helper()
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
			e.apply(t, e.found(e.claim(t), 1))
		}
		look()
		e.clock.advance(24 * time.Hour)
		look()
		if n := e.count(t, inDefault); n != 2 {
			t.Errorf("%d snapshots in the default partition, want 2", n)
		}
		if f := e.finding(t, "history partitions"); f.OK {
			t.Errorf("finding %+v", f)
		}
		if n := must(e.EnsurePartitions(t.Context(), epoch, epoch.Add(72*time.Hour)))(t); n != 4 {
			t.Errorf("made %d partitions, want 4", n)
		}
		if n := must(e.EnsurePartitions(t.Context(), epoch, epoch.Add(72*time.Hour)))(t); n != 0 {
			t.Errorf("made %d partitions again", n)
		}
		e.clock.advance(24 * time.Hour)
		look()
		if n := e.count(t, inDefault); n != 0 {
			t.Errorf("%d snapshots in the default partition, want none", n)
		}
		if points := e.snapshots(t, row); len(points) != 3 {
			t.Errorf("%d snapshots, want 3", len(points))
		}
		if n := e.count(t, `select count(*) from gorgone.history_2026_03_03`); n != 1 {
			t.Errorf("%d snapshots in the third day's partition, want 1", n)
		}
		e.exec(t, `delete from twitter_tweets where id = $1`, row)
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != 0 {
			t.Errorf("%d snapshots of a deleted tweet are left", n)
		}
		if _, err := e.EnsurePartitions(t.Context(), time.Time{}, epoch); err == nil {
			t.Error("made partitions since the year 1")
		}
	})
}

// TestPartitionsDuringApplies makes partitions, also of days that have snapshots
// already, while batches are applied.
func TestPartitionsDuringApplies(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		const days, tweets = 6, 40
		e.track(t, tweets)
		var wg conc.WaitGroup
		for d := range days {
			e.clock.advance(24 * time.Hour)
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1`, e.clock.Now())
			now := e.clock.Now()
			for _, b := range e.claimIn(t, 10).Batches {
				work := e.found(b, int64(d))
				wg.Go(func() {
					if _, err := e.Apply(t.Context(), work); err != nil {
						t.Error(err)
					}
				})
			}
			for range 2 {
				wg.Go(func() {
					if _, err := e.EnsurePartitions(t.Context(), now.Add(-24*time.Hour), now); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		// A partition whose tables were in use for too long is left to the next call.
		if _, err := e.EnsurePartitions(t.Context(), epoch, e.clock.Now()); err != nil {
			t.Error(err)
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != days*tweets {
			t.Errorf("%d snapshots, want %d", n, days*tweets)
		}
		if n := e.count(t, inDefault); n != 0 {
			t.Errorf("%d snapshots in the default partition", n)
		}
	})
}
