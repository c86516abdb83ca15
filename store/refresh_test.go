package store_test

import (
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/store"
)

func (e *env) refresh(t *testing.T, results ...store.RefreshResult) store.Applied {
	t.Helper()
	applied, err := e.ApplyRefresh(t.Context(), results)
	if err != nil {
		t.Fatal(err)
	}
	return applied
}

func (e *env) refreshed(tweetID string, n int64) store.RefreshResult {
	return store.RefreshResult{
		TweetID: tweetID, RequestedAt: e.clock.Now(), Kind: store.Found,
		Observation: engagement.Observation{At: e.clock.Now(), Metrics: likes(n)},
	}
}

// TestRefreshDuringBatch commits a refresh between a batch's look-up and its
// Apply: the refresh is written, the batch's answer is dropped.
func TestRefreshDuringBatch(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 2)
		batch := e.claim(t)
		e.clock.advance(time.Second)
		work := e.found(batch, 10)
		e.clock.advance(time.Second)
		refreshed := e.refresh(t, e.refreshed(tracked[0].TweetID, 20))
		wantOutcomes(t, refreshed, map[engagement.RowOutcome]int{engagement.RowApplied: 1})
		wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 1, engagement.RowLostClaim: 1})
		for i, want := range []int64{20, 10} {
			if points := e.snapshots(t, tracked[i].Row); len(points) != 1 || points[0].Metrics != likes(want) {
				t.Errorf("history of tweet %d: %+v, want one snapshot of %d likes", i, points, want)
			}
		}
		if o := e.outstanding(t); o.Batches != 0 {
			t.Errorf("outstanding %+v: the batch was not closed", o)
		}
		if n := e.count(t, `select count(*) from gorgone.batches where found = 1 and skipped = 1`); n != 1 {
			t.Error("the batch's record does not say what became of its rows")
		}
	})
}

// TestRefreshAfterBatch has the batch commit first: the refresh, asked for
// before, reports the row as it is.
func TestRefreshAfterBatch(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		batch := e.claim(t)
		refresh := e.refreshed(tracked[0].TweetID, 20)
		e.clock.advance(time.Second)
		e.apply(t, e.found(batch, 10))
		applied := e.refresh(t, refresh)
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowNewer: 1})
		if r := applied.Rows[0]; r.After.Metrics != likes(10) || r.Snapshot != nil {
			t.Errorf("reported %+v, want the batch's counts", r)
		}
		if points := e.snapshots(t, tracked[0].Row); len(points) != 1 {
			t.Errorf("%d snapshots, want 1", len(points))
		}
	})
}

func TestRefreshRows(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(epoch.Add(-13*time.Hour), 1)
		live := e.trackIn(t, e.zone, tweets)[0]
		cold := e.trackIn(t, e.newZone(t), tweets)[0]
		idleZone := e.newZone(t)
		idle := e.trackIn(t, idleZone, tweets)[0]
		e.exec(t, `update twitter_engagement_tracking set tier = 'cold', next_update_at = null where tweet_db_id = $1`, cold.Row)
		e.exec(t, `update zones set is_active = false where id = $1`, idleZone)

		applied := e.refresh(t, e.refreshed(live.TweetID, 5), e.refreshed("12345", 1), e.refreshed(live.TweetID, 6))
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{engagement.RowApplied: 2})
		if len(applied.Untracked) != 1 || applied.Untracked[0] != "12345" {
			t.Errorf("untracked %v", applied.Untracked)
		}
		for _, r := range applied.Rows {
			if r.Row == idle.Row {
				t.Error("a row of an inactive zone was refreshed")
			}
			if r.After.Metrics != likes(5) || r.After.Tier != engagement.Cold || !r.After.NextUpdateAt.IsZero() {
				t.Errorf("after %+v", r.After)
			}
		}
	})
}

// TestRefreshWithoutAnswer: a miss is recorded, a failure leaves no trace, and
// neither takes the row from the batch that works on it.
func TestRefreshWithoutAnswer(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 3)
		work := e.found(e.claim(t), 4)
		missing, failed, bad := e.refreshed(tracked[0].TweetID, 0), e.refreshed(tracked[1].TweetID, 0), e.refreshed(tracked[2].TweetID, 3e9)
		missing.Kind, failed.Kind = store.Missing, store.Unresolved
		applied := e.refresh(t, missing, failed, bad)
		wantOutcomes(t, applied, map[engagement.RowOutcome]int{
			engagement.RowMissing: 1, engagement.RowUnresolved: 1, engagement.RowOutOfRange: 1,
		})
		if a := applied.Rows[0].After; a.Misses != 1 {
			t.Errorf("missing: %+v", a)
		}
		for _, r := range applied.Rows[1:] {
			if r.After != r.Before {
				t.Errorf("%s: %+v became %+v", r.Outcome, r.Before, r.After)
			}
		}
		wantOutcomes(t, e.apply(t, work), map[engagement.RowOutcome]int{engagement.RowApplied: 3})
	})
}

// TestRefreshSoonAfterUpdate updates the counts and adds no snapshot; the next
// snapshot's deltas span both.
func TestRefreshSoonAfterUpdate(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 1)
		e.apply(t, e.found(e.claim(t), 10))
		e.clock.advance(30 * time.Second)
		applied := e.refresh(t, e.refreshed(tracked[0].TweetID, 15))
		if r := applied.Rows[0]; r.Outcome != engagement.RowApplied || r.Snapshot != nil || r.After.Metrics != likes(15) {
			t.Errorf("refresh %+v", r)
		}
		e.clock.advance(20 * time.Minute)
		e.apply(t, e.found(e.claim(t), 18))
		points := e.snapshots(t, tracked[0].Row)
		if len(points) != 2 || points[1].Deltas.Likes != engagement.Known(8) {
			t.Errorf("history %+v, want a delta of 8", points)
		}
	})
}
