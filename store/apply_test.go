package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

func TestApply(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 3)
		batch := e.claim(t)
		e.clock.advance(10 * time.Second)
		applied := e.apply(t, e.found(batch, 10))
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowApplied: 3})

		first := applied.Rows[0]
		if first.ZoneID != e.zone || first.After.Metrics != likes(10) || first.Snapshot == nil || first.After.Tier != engagement.UltraHot {
			t.Errorf("outcome %+v", first)
		}
		if want := epoch.Add(10 * time.Minute); !first.After.NextUpdateAt.Equal(want) {
			t.Errorf("next update at %v, want %v", first.After.NextUpdateAt, want)
		}
		// What was returned is what was stored.
		stored, err := e.Tweet(t.Context(), first.Row)
		if err != nil {
			t.Fatal(err)
		}
		if stored.Tracking != first.After || !stored.Tracked || !stored.ClaimedUntil.IsZero() {
			t.Errorf("stored %+v\nreturned %+v", stored.Tracking, first.After)
		}

		// A second look: deltas and velocity against the first.
		e.clock.advance(10*time.Minute - 10*time.Second)
		at := e.clock.Now()
		applied = e.apply(t, e.found(e.claim(t), 25))
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowApplied: 3})
		points := e.snapshots(t, tracked[0].Row)
		if len(points) != 2 {
			t.Fatalf("%d snapshots, want 2", len(points))
		}
		last := points[1]
		if last.Deltas.Likes != engagement.Known(15) || !last.At.Equal(at) || last.Metrics != likes(25) {
			t.Errorf("second snapshot %+v", last)
		}
		hours := (10*time.Minute - 10*time.Second).Hours()
		if want := 15 / hours; last.Velocity == nil || *last.Velocity < want*0.999 || *last.Velocity > want*1.001 {
			t.Errorf("velocity %v, want %v", last.Velocity, want)
		}
		if got := e.count(t, `select total_engagement from twitter_tweets where id = $1`, tracked[0].Row); got != 25 {
			t.Errorf("total engagement %d, want 25", got)
		}
		if n := e.count(t, `select count(*) from gorgone.batches where done_at is not null and open_rows = 0 and found = 3`); n != 2 {
			t.Errorf("%d batches recorded as done, want 2", n)
		}
	})
}

// TestApplyTwice applies one message twice, with different observations: the
// fence lets one through.
func TestApplyTwice(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 5)
		batch := e.claim(t)
		first := e.found(batch, 10)
		e.clock.advance(2 * time.Minute)
		second := e.found(batch, 99)

		wantOutcomes(t, e.apply(t, second), map[engagement.RowOutcome]int{engagement.RowApplied: 5})
		wantOutcomes(t, e.apply(t, first), map[engagement.RowOutcome]int{engagement.RowLostClaim: 5})
		wantOutcomes(t, e.apply(t, second), map[engagement.RowOutcome]int{engagement.RowLostClaim: 5})
		for _, w := range tracked {
			if points := e.snapshots(t, w.Row); len(points) != 1 || points[0].Metrics != likes(99) {
				t.Errorf("history %+v, want one snapshot of 99 likes", points)
			}
		}
	})
}

// TestApplyAfterLease applies the work of a worker that was frozen past its
// lease, when another one holds the rows, and when that one is done.
func TestApplyAfterLease(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 4)
		frozen := e.claim(t)
		late := e.found(frozen, 1)
		if claimed := e.claimIn(t, 100); claimed.Tweets != 0 {
			t.Fatalf("claimed %d tweets that are held", claimed.Tweets)
		}
		e.clock.advance(lease)
		next := e.claim(t)
		if held, err := e.Held(t.Context(), frozen.ClaimID, frozen.Rows()); err != nil || len(held) != 0 {
			t.Errorf("the frozen worker holds %d rows (%v), want none", len(held), err)
		}
		wantOutcomes(t, e.apply(t, late), map[engagement.RowOutcome]int{engagement.RowLostClaim: 4})
		if held, err := e.Held(t.Context(), next.ClaimID, next.Rows()); err != nil || len(held) != 4 {
			t.Errorf("the second worker holds %d rows (%v), want 4", len(held), err)
		}
		wantOutcomes(t, e.apply(t, e.found(next, 2)), map[engagement.RowOutcome]int{engagement.RowApplied: 4})
		wantOutcomes(t, e.apply(t, late), map[engagement.RowOutcome]int{engagement.RowLostClaim: 4})
		for _, w := range tracked {
			if points := e.snapshots(t, w.Row); len(points) != 1 || points[0].Metrics != likes(2) {
				t.Errorf("history %+v, want one snapshot of 2 likes", points)
			}
		}
	})
}

// TestApplyInParts answers a batch in two calls: it is open until the second.
func TestApplyInParts(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 10)
		work := e.found(e.claim(t), 1)
		half := store.Work{ClaimID: work.ClaimID, Results: work.Results[:5]}
		rest := store.Work{ClaimID: work.ClaimID, Results: work.Results[5:]}
		e.apply(t, half)
		if o := e.outstanding(t); o.Batches != 1 || o.Tweets != 5 {
			t.Errorf("outstanding %+v, want 5 tweets of 1 batch", o)
		}
		e.apply(t, half) // delivered again: counts nothing
		e.apply(t, rest)
		if o := e.outstanding(t); o.Batches != 0 || o.Tweets != 0 || o.DonePerSecond != 10 {
			t.Errorf("outstanding %+v, want none and 10 tweets in the last second", o)
		}
	})
}

func (e *env) outstanding(t *testing.T) store.Outstanding {
	t.Helper()
	stats, err := e.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stats.Outstanding
}

// TestApplyBadCounts has rows whose counts do not fit: they are marked, the
// others are written.
func TestApplyBadCounts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		metrics engagement.Metrics
	}{
		{"3e9 views", engagement.Metrics{Likes: engagement.Known(1), Views: engagement.Known(3_000_000_000)}},
		{"a total over int4", engagement.Metrics{Likes: engagement.Known(2_000_000_000), Retweets: engagement.Known(2_000_000_000)}},
		{"a negative count", engagement.Metrics{Likes: engagement.Known(-1)}},
	}
	inEachMode(t, func(t *testing.T, e *env) {
		for _, tt := range tests {
			e.track(t, 3)
			e.clock.advance(time.Second)
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $1, retry_at = null`, e.clock.Now())
			work := e.found(e.claim(t), 5)
			work.Results[1].Observation.Metrics = tt.metrics
			applied := e.apply(t, work)
			wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowApplied: 2, engagement.RowOutOfRange: 1})
			bad := applied.Rows[1]
			if bad.After.Attempts != bad.Before.Attempts+1 || !bad.After.RetryAt.After(e.clock.Now()) || bad.Reason == "" {
				t.Errorf("%s: %+v", tt.name, bad)
			}
			if bad.After.Metrics != bad.Before.Metrics {
				t.Errorf("%s: counts were taken", tt.name)
			}
			e.clock.advance(time.Hour)
			e.exec(t, `truncate twitter_tweets cascade`)
		}
	})
}

func TestApplyMissingAndUnresolved(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 2)
		batch := e.claim(t)
		work := store.Work{ClaimID: batch.ClaimID, Results: []store.Result{
			{TweetID: batch.Tweets[0].TweetID, Rows: batch.Tweets[0].Rows, Kind: store.Missing, Reason: "not in the answer"},
			{TweetID: batch.Tweets[1].TweetID, Rows: batch.Tweets[1].Rows, Kind: store.Unresolved, Reason: "timed out"},
		}}
		applied := e.apply(t, work)
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowMissing: 1, engagement.RowUnresolved: 1})
		missing, failed := applied.Rows[0], applied.Rows[1]
		if missing.After.Misses != 1 || !missing.After.RetryAt.Equal(epoch.Add(engagement.MissGap)) {
			t.Errorf("missing: %+v", missing.After)
		}
		if failed.After.Attempts != 1 || !failed.After.RetryAt.Equal(epoch.Add(22500*time.Millisecond)) {
			t.Errorf("failed: %+v", failed.After)
		}
		// The due time is kept: lateness counts from it.
		if !missing.After.NextUpdateAt.Equal(epoch) || !failed.After.NextUpdateAt.Equal(epoch) {
			t.Error("a due time was moved")
		}
		if claimed := e.claimIn(t, 10); claimed.Tweets != 0 {
			t.Errorf("%d tweets were claimed before their time", claimed.Tweets)
		}
		e.clock.advance(22500 * time.Millisecond)
		if claimed := e.claimIn(t, 10); claimed.Tweets != 1 || claimed.Batches[0].Tweets[0].TweetID != failed.TweetID {
			t.Errorf("claimed %+v, want the failed one", claimed)
		}
		e.clock.advance(engagement.MissGap)
		applied = e.apply(t, e.found(e.claimOf(t, missing.TweetID), 3))
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowApplied: 1})
		if a := applied.Rows[0].After; a.Misses != 0 || !a.RetryAt.IsZero() || !a.LastMissedAt.IsZero() {
			t.Errorf("a tweet that came back is still %+v", a)
		}
	})
}

// claimOf claims what is due and returns the batch with the tweet.
func (e *env) claimOf(t *testing.T, tweetID string) store.Batch {
	t.Helper()
	for _, b := range e.claimIn(t, 1).Batches {
		if b.Tweets[0].TweetID == tweetID {
			return b
		}
	}
	t.Fatalf("tweet %s was not due", tweetID)
	return store.Batch{}
}

// TestApplyStale gives an observation that is not newer than the row's: it is
// dropped, and the row is not due again at once.
func TestApplyStale(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		e.exec(t, `update twitter_engagement_tracking set last_updated_at = $1`, epoch.Add(time.Second))
		applied := e.apply(t, e.found(e.claim(t), 7))
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowStale: 1})
		if len(e.snapshots(t, tracked[0].Row)) != 0 {
			t.Error("a stale observation made a snapshot")
		}
		e.clock.advance(time.Minute)
		if claimed := e.claimIn(t, 10); claimed.Tweets != 0 {
			t.Error("the row is due again at once")
		}
		e.clock.advance(10 * time.Minute)
		wantOutcomes(t, e.apply(t, e.found(e.claim(t), 7)), map[engagement.RowOutcome]int{engagement.RowApplied: 1})
	})
}

func TestApplyFuture(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 1)
		work := e.found(e.claim(t), 7)
		work.Results[0].Observation.At = epoch.Add(time.Minute)
		applied := e.apply(t, work)
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowFuture: 1})
		if a := applied.Rows[0].After; a.Attempts != 1 || !a.ObservedAt.IsZero() {
			t.Errorf("after %+v", a)
		}
	})
}

// TestApplyVanished deletes one of two zones while a batch is in flight.
func TestApplyVanished(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		other := e.newZone(t)
		e.track(t, 3)
		e.trackIn(t, other, newTweets(epoch.Add(-time.Hour), 2))
		work := e.found(e.claim(t), 4)
		e.exec(t, `delete from zones where id = $1`, other)
		wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 3, engagement.RowVanished: 2})
		if o := e.outstanding(t); o.Batches != 0 {
			t.Errorf("outstanding %+v: the batch was not closed", o)
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != 3 {
			t.Errorf("%d snapshots, want 3", n)
		}
	})
}

// TestApplyAbsentCounts has an answer without views and bookmarks, and one with
// fewer views than before.
func TestApplyAbsentCounts(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		full := likes(5)
		full.Views, full.Bookmarks = engagement.Known(1000), engagement.Known(3)
		bare := likes(8)
		bare.Views, bare.Bookmarks = engagement.Count{}, engagement.Count{}
		fallen := likes(9)
		fallen.Views, fallen.Bookmarks = engagement.Known(10), engagement.Known(2)
		for _, m := range []engagement.Metrics{bare, full, bare, fallen} {
			work := e.found(e.claim(t), 0)
			work.Results[0].Observation.Metrics = m
			wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 1})
			e.clock.advance(10 * time.Minute)
		}
		var views []string
		for _, p := range e.snapshots(t, row) {
			views = append(views, p.Metrics.Views.String()+" "+p.Deltas.Views.String()+" "+p.Metrics.Bookmarks.String())
		}
		want := []string{"- - -", "1000 - 3", "1000 0 3", "1000 0 2"}
		for i := range want {
			if views[i] != want[i] {
				t.Errorf("views, their delta and bookmarks: %q, want %q", views, want)
				break
			}
		}
	})
}

func TestApplyNothing(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		applied := e.apply(t, store.Work{ClaimID: uuid.New()})
		if len(applied.Rows) != 0 {
			t.Errorf("%+v", applied)
		}
		applied = e.apply(t, store.Work{ClaimID: uuid.New(), Results: []store.Result{
			{TweetID: "1", Rows: []uuid.UUID{uuid.New()}, Kind: store.Found},
		}})
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowVanished: 1})
	})
}

// TestApplyUnchanged finds the counts as they were: the tracking row alone tells, until
// they change. Then the history has when they were last as before.
func TestApplyUnchanged(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		row := e.track(t, 1)[0].Row
		updated := func() time.Time {
			return scalar[time.Time](t, e, `select updated_at from twitter_tweets where id = $1`, row).UTC()
		}
		e.clock.advance(time.Second)
		e.apply(t, e.found(e.claim(t), 7))
		changed := e.clock.Now()
		var last store.Applied
		for range 3 {
			e.clock.advance(10 * time.Minute)
			last = e.apply(t, e.found(e.claim(t), 7))
			wantOutcomes(t, last, map[engagement.RowOutcome]int{engagement.RowApplied: 1})
		}
		if got := updated(); !got.Equal(changed) {
			t.Errorf("row updated at %v, counts changed at %v", got, changed)
		}
		if n := e.count(t, `select count(*) from twitter_engagement_history`); n != 1 {
			t.Errorf("%d rows of history, want 1", n)
		}
		points := e.snapshots(t, row)
		if len(points) != 2 || *points[1].Velocity != 0 || !points[1].At.Equal(last.Rows[0].After.ObservedAt) {
			t.Errorf("history %+v, want a second snapshot of velocity 0, at the last look-up", points)
		}
		e.clock.advance(10 * time.Minute)
		e.apply(t, e.found(e.claim(t), 9))
		points = append(points, e.snapshots(t, row)...)
		if len(points) != 5 || points[3].At != points[1].At || points[4].Deltas.Likes != engagement.Known(2) || *points[4].Velocity != 12 {
			t.Errorf("history %+v, want a third of velocity 12", points[2:])
		}
	})
}
