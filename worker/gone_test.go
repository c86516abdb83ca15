package worker_test

import (
	"testing"

	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter/twittertest"
)

// lookAgain makes tweets due and has them looked at, all of them when none is
// named. It returns when none is claimed any more.
func (e *engine) lookAgain(ids ...string) {
	e.t.Helper()
	// As if the time between two misses had passed.
	_, err := e.sql.Exec(e.t.Context(), `update twitter_engagement_tracking set last_missed_at = last_missed_at - interval '10 min'`)
	must(e.t, err)
	_, err = e.store.ForceDue(e.t.Context(), store.DueFilter{TweetIDs: ids})
	must(e.t, err)
	e.dispatch()
	e.eventually("claimed rows", `select count(*) from twitter_engagement_tracking where claim_id is not null`, 0)
}

const seenAll = `select count(*) from twitter_engagement_tracking where update_count > 0 and claim_id is null`

func TestADeletedTweetIsFoundOutWithAControl(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 100})
	ids := e.track()
	w := e.worker(workerOptions{})
	e.run(w)
	e.dispatch()
	e.eventually("tweets seen", seenAll, 100)
	must(t, e.double.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{{Fault: twittertest.Deleted, IDs: ids[:1]}}}))
	misses := `select misses from twitter_engagement_tracking k join twitter_tweets w on w.id = k.tweet_db_id where w.tweet_id = $1`

	e.lookAgain() // among others: no control is needed
	if n, c := e.count(misses, ids[0]), w.Progress().Controls; n != 1 || c != 0 {
		t.Errorf("%d misses, %d controls, want 1 and 0", n, c)
	}
	returned := e.double.Stats().Returned
	e.lookAgain(ids[0]) // alone
	if n, c := e.count(misses, ids[0]), w.Progress().Controls; n != 2 || c != 1 {
		t.Errorf("%d misses, %d controls, want 2 and 1", n, c)
	}
	if n := e.double.Stats().Returned - returned; n != 1 {
		t.Errorf("the confirmation was paid for with %d tweets, want the control", n)
	}
	if n := e.count(`select sum(controls)::int4 from gorgone.batches`); n != 1 {
		t.Errorf("%d controls in the record of batches, want 1", n)
	}
	if done := e.refresh(ids[0]); done.Outcome != queue.Missing {
		t.Errorf("a refresh too soon after the last miss: %+v", done)
	}
	e.lookAgain(ids[0])
	if n := e.count(`select count(*) from twitter_engagement_tracking where gone_reason = 'missing' and tier = 'cold' and next_update_at is null`); n != 1 {
		t.Errorf("%d tweets are gone, want the deleted one", n)
	}
	if done := e.refresh(ids[0]); done.Outcome != queue.Deleted || done.Reason != "missing" {
		t.Errorf("refresh of a gone tweet: %+v", done)
	}
	must(t, e.double.Steer(twittertest.Steering{Clear: true}))
	if done := e.refresh(ids[0]); done.Outcome != queue.Updated || done.Rows[0].NextUpdateAt.IsZero() {
		t.Errorf("refresh of a tweet that is back: %+v", done)
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where gone_reason is not null or misses > 0`); n != 0 {
		t.Errorf("%d tweets are still gone or missing", n)
	}
}

// TestAControlThatIsMissingProvesNothing: an answer without a single tweet says
// nothing about the one that is looked for.
func TestAControlThatIsMissingProvesNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 3})
	ids := e.track()
	e.run(e.worker(workerOptions{}))
	e.dispatch()
	e.eventually("tweets seen", seenAll, 3)
	must(t, e.double.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{{Fault: twittertest.Dropped, IDs: ids}}}))
	for range 4 {
		e.lookAgain(ids[0])
		e.lookAgain()
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where misses = 0 and doubts > 0 and gone_reason is null and retry_at is not null`); n != 3 {
		t.Errorf("%d tweets back off without a miss, want all", n)
	}
}

// TestFaultsDeleteNothing: neither an empty answer among good ones, nor dropped
// tweets here and there, nor counters that are 0 change what is believed.
func TestFaultsDeleteNothing(t *testing.T) {
	t.Parallel()
	third := 0.3
	for name, fault := range map[string]twittertest.Steering{
		"an empty call":   {Calls: []twittertest.CallSteering{{Fault: twittertest.Empty, Next: 1}}},
		"many drops":      {DropShare: &third},
		"zeroed counters": {Calls: []twittertest.CallSteering{{Fault: twittertest.ZeroedCounts, Next: 1}}},
		"zeroed views":    {Calls: []twittertest.CallSteering{{Fault: twittertest.ZeroedViews, Next: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 200})
			e.track()
			e.run(e.worker(workerOptions{}))
			e.dispatch()
			e.eventually("tweets seen", seenAll, 200)
			before := e.count(`select sum(total_engagement + view_count)::int4 from twitter_tweets`)
			must(t, e.double.Steer(fault))
			for range 4 {
				e.lookAgain()
			}
			if n := e.count(`select count(*) from twitter_engagement_tracking where misses > 0 or gone_reason is not null`); n != 0 {
				t.Errorf("%d tweets were missed", n)
			}
			if n := e.count(`select sum(total_engagement + view_count)::int4 from twitter_tweets`); n < before {
				t.Errorf("all counts together fell from %d to %d", before, n)
			}
		})
	}
}
