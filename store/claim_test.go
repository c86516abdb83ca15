package store_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

func TestClaim(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 10)
		claimed, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 7, BatchTweets: 3, BatchRows: 100, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		if claimed.Tweets != 7 || claimed.Rows != 7 || len(claimed.Batches) != 3 || !claimed.MoreDue || claimed.Limited {
			t.Errorf("claimed %+v", claimed)
		}
		for _, b := range claimed.Batches {
			if !b.Until.Equal(epoch.Add(lease)) || !b.OldestDue.Equal(epoch) || len(b.Tweets) > 3 {
				t.Errorf("batch %+v", b)
			}
			if held, err := e.Held(t.Context(), b.ClaimID, b.Rows()); err != nil || len(held) != len(b.Tweets) {
				t.Errorf("holds %v (%v)", held, err)
			}
		}
		rest := e.claimIn(t, 3)
		if rest.Tweets != 3 || rest.MoreDue || rest.Outstanding.Tweets != 7 || rest.Outstanding.Batches != 3 {
			t.Errorf("rest %+v", rest)
		}
	})
}

// TestClaimOrder takes the longest overdue first, and rows that wait for a retry
// only when their time has come.
func TestClaimOrder(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tracked := e.track(t, 4)
		set := func(i int, next, retry any) {
			e.exec(t, `update twitter_engagement_tracking set next_update_at = $2, retry_at = $3 where tweet_db_id = $1`,
				tracked[i].Row, next, retry)
		}
		set(0, epoch.Add(-3*time.Minute), epoch.Add(time.Minute)) // waits for its retry
		set(1, epoch.Add(-2*time.Minute), epoch.Add(-time.Second))
		set(2, epoch.Add(-time.Minute), nil)
		set(3, nil, epoch.Add(-time.Hour)) // cold
		batch := e.claim(t)
		if len(batch.Tweets) != 2 || batch.Tweets[0].TweetID != tracked[2].TweetID || batch.Tweets[1].TweetID != tracked[1].TweetID {
			t.Errorf("claimed %+v", batch.Tweets)
		}
		if !batch.OldestDue.Equal(epoch.Add(-time.Minute)) {
			t.Errorf("oldest due %v", batch.OldestDue)
		}
	})
}

// TestClaimAcrossZones has one tweet in three zones: it is looked up once, for
// all its live rows, due or not.
func TestClaimAcrossZones(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(epoch, 2)
		due := e.trackIn(t, e.zone, tweets)[0]
		later := e.trackIn(t, e.newZone(t), tweets[:1])[0]
		cold := e.trackIn(t, e.newZone(t), tweets[:1])[0]
		e.exec(t, `update twitter_engagement_tracking set next_update_at = $2 where tweet_db_id = $1`, later.Row, epoch.Add(time.Hour))
		e.exec(t, `update twitter_engagement_tracking set next_update_at = null, tier = 'cold' where tweet_db_id = $1`, cold.Row)

		claimed := e.claimIn(t, 100)
		if claimed.Tweets != 2 || claimed.Rows != 3 || len(claimed.Batches) != 1 {
			t.Fatalf("claimed %+v", claimed)
		}
		rows := map[uuid.UUID]bool{}
		for _, w := range claimed.Batches[0].Tweets {
			if w.TweetID == due.TweetID {
				for _, r := range w.Rows {
					rows[r] = true
				}
			}
		}
		if len(rows) != 2 || !rows[due.Row] || !rows[later.Row] {
			t.Errorf("rows %v of the tweet, want those of two zones", rows)
		}
		wantOutcomes(t, e.apply(t, e.found(claimed.Batches[0], 1)), map[engagement.RowOutcome]int{engagement.RowApplied: 3})
	})
}

// TestClaimManyRows has a tweet with more rows than a batch may hold.
func TestClaimManyRows(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		tweets := newTweets(epoch, 2)
		e.trackIn(t, e.zone, tweets)
		for range 4 {
			e.trackIn(t, e.newZone(t), tweets[:1])
		}
		claimed, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 10, BatchTweets: 10, BatchRows: 2, Lease: lease})
		if err != nil {
			t.Fatal(err)
		}
		seen := map[uuid.UUID]bool{}
		for _, b := range claimed.Batches {
			if n := len(b.Rows()); n > 2 {
				t.Errorf("a batch of %d rows", n)
			}
			for _, r := range b.Rows() {
				if seen[r] {
					t.Errorf("row %s is in two batches", r)
				}
				seen[r] = true
			}
		}
		if len(seen) != 6 || claimed.Tweets != 2 || claimed.Rows != 6 {
			t.Errorf("claimed %d rows: %+v", len(seen), claimed)
		}
	})
}

func TestClaimAllowance(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 10)
		e.claimIn(t, 100)
		e.clock.advance(lease) // all due again
		asked := store.Outstanding{Tweets: -1}
		request := store.ClaimRequest{
			Tweets: 8, BatchTweets: 100, BatchRows: 100, Lease: lease,
			Allowance: func(o store.Outstanding) int { asked = o; return 3 - o.Tweets },
		}
		for i, want := range []int{3, 0} {
			claimed, err := e.Claim(t.Context(), request)
			if err != nil {
				t.Fatal(err)
			}
			if claimed.Tweets != want || !claimed.Limited || asked.Tweets != 3*i {
				t.Errorf("claim %d: %+v with %+v outstanding, want %d tweets", i+1, claimed, asked, want)
			}
		}
	})
}

func TestClaimBusy(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 1)
		request := store.ClaimRequest{Tweets: 1, BatchTweets: 1, BatchRows: 1, Lease: lease}
		inner := store.Claimed{}
		outer := request
		outer.Allowance = func(store.Outstanding) int { // called under the lock
			var err error
			inner, err = e.Claim(t.Context(), request)
			if err != nil {
				t.Error(err)
			}
			return 1
		}
		claimed, err := e.Claim(t.Context(), outer)
		if err != nil {
			t.Fatal(err)
		}
		if !inner.Busy || inner.Tweets != 0 {
			t.Errorf("second claim at once: %+v, want busy", inner)
		}
		if claimed.Busy || claimed.Tweets != 1 {
			t.Errorf("first claim: %+v", claimed)
		}
	})
}

func TestClaimBadRequest(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	if _, err := e.Claim(t.Context(), store.ClaimRequest{Tweets: 1, BatchTweets: 1, BatchRows: 1}); err == nil {
		t.Error("a claim without a lease was taken")
	}
}

func TestRelease(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		e.track(t, 4)
		batch := e.claim(t)
		if err := e.Release(t.Context(), uuid.New(), batch.Rows()); err != nil {
			t.Fatal(err)
		}
		if claimed := e.claimIn(t, 10); claimed.Tweets != 0 {
			t.Error("a stranger released rows")
		}
		e.exec(t, `delete from twitter_tweets where id = $1`, batch.Tweets[0].Rows[0])
		if err := e.Release(t.Context(), batch.ClaimID, batch.Rows()); err != nil {
			t.Fatal(err)
		}
		if o := e.outstanding(t); o.Batches != 0 || o.DonePerSecond != 0 {
			t.Errorf("outstanding %+v after a release", o)
		}
		again := e.claim(t)
		if len(again.Tweets) != 3 {
			t.Errorf("%d tweets can be claimed after a release, want 3", len(again.Tweets))
		}
		if err := e.Release(t.Context(), batch.ClaimID, again.Rows()); err != nil {
			t.Fatal(err)
		}
		if held, err := e.Held(t.Context(), again.ClaimID, again.Rows()); err != nil || len(held) != 3 {
			t.Errorf("an old claim released %d rows of a new one (%v)", 3-len(held), err)
		}
	})
}
