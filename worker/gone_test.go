package worker_test

import (
	"context"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker/lookup"
)

// lookAgain makes tweets due and has them looked up, all of them when none is named.
// It returns when none is claimed any more.
func (e *engine) lookAgain(ids ...string) {
	e.t.Helper()
	// As if the longest time between two misses had passed.
	_, err := e.sql.Exec(e.t.Context(), `update twitter_engagement_tracking set last_missed_at = last_missed_at - interval '1 day'`)
	testkit.Must(e.t, err)
	_, err = e.store.ForceDue(e.t.Context(), store.DueFilter{TweetIDs: ids})
	testkit.Must(e.t, err)
	e.dispatch()
	e.eventually("claimed rows", `select count(*) from twitter_engagement_tracking where claim_id is not null`, 0)
}

const seenAll = `select count(*) from twitter_engagement_tracking where update_count > 0 and claim_id is null`

func TestADeletedTweetIsConfirmedWithACanary(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 100})
	ids := e.track()
	w := e.worker(workerOptions{})
	e.run(w)
	e.dispatch()
	e.eventually("tweets seen", seenAll, 100)
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.Deleted, IDs: ids[:1]}}}))
	misses := `select misses from twitter_engagement_tracking k join twitter_tweets w on w.id = k.tweet_db_id where w.tweet_id = $1`

	e.lookAgain() // among others: no canary is needed
	if n, c := e.count(misses, ids[0]), w.Progress().Controls; n != 1 || c != 0 {
		t.Errorf("%d misses, %d canaries, want 1 and 0", n, c)
	}
	returned := e.double.Stats().Returned
	e.lookAgain(ids[0]) // alone
	if n, c := e.count(misses, ids[0]), w.Progress().Controls; n != 2 || c != 1 {
		t.Errorf("%d misses, %d canaries, want 2 and 1", n, c)
	}
	if n := e.double.Stats().Returned - returned; n != 1 {
		t.Errorf("the confirmation was paid for with %d tweets, want the canary", n)
	}
	if n := e.count(`select sum(controls)::int4 from gorgone.batches`); n != 1 {
		t.Errorf("%d canaries in the record of batches, want 1", n)
	}
	if done := e.refresh(ids[0]); done.Outcome != engagement.RequestMissing {
		t.Errorf("a refresh too soon after the last miss: %+v", done)
	}
	for range 10 {
		e.lookAgain(ids[0])
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where gone_reason is not null`); n != 0 {
		t.Errorf("%d tweets are gone after 12 misses", n)
	}
	e.lookAgain(ids[0])
	if n := e.count(`select count(*) from twitter_engagement_tracking where gone_reason = 'missing' and tier = 'cold' and next_update_at is null`); n != 1 {
		t.Errorf("%d tweets are gone, want the deleted one", n)
	}
	if done := e.refresh(ids[0]); done.Outcome != engagement.RequestDeleted || done.Reason != "missing" {
		t.Errorf("refresh of a gone tweet: %+v", done)
	}
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Clear: true}))
	if done := e.refresh(ids[0]); done.Outcome != engagement.RequestUpdated || done.Rows[0].NextUpdateAt.IsZero() {
		t.Errorf("refresh of a tweet that is back: %+v", done)
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where gone_reason is not null or misses > 0`); n != 0 {
		t.Errorf("%d tweets are still gone or missing", n)
	}
}

// TestACanaryThatIsMissingProvesNothing: an answer without a single tweet says
// nothing about the one that is looked for.
func TestACanaryThatIsMissingProvesNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 3})
	ids := e.track()
	e.run(e.worker(workerOptions{}))
	e.dispatch()
	e.eventually("tweets seen", seenAll, 3)
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.Dropped, IDs: ids}}}))
	for range 4 {
		e.lookAgain(ids[0])
		e.lookAgain()
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where misses = 0 and doubts > 0 and gone_reason is null and retry_at is not null`); n != 3 {
		t.Errorf("%d tweets back off without a miss, want all", n)
	}
}

// TestNewTweetsOfALaggingIndexAreNotDeleted: the provider's index lags by a day and a
// half. Tweets posted since are in none of its answers, all others are.
func TestNewTweetsOfALaggingIndexAreNotDeleted(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 200})
	ids := e.track()
	fresh := ids[100:] // tracked, never seen
	_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking k set next_update_at = $1::timestamptz + interval '1 day'
		from twitter_tweets w where w.id = k.tweet_db_id and w.tweet_id = any($2)`, e.clock.Now(), fresh)
	testkit.Must(t, err)
	e.run(e.worker(workerOptions{}))
	e.dispatch()
	e.eventually("old tweets seen", seenAll, 100)
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.Dropped, IDs: fresh}}}))
	for range 14 {
		e.lookAgain()
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where misses >= 12`); n != 100 {
		t.Errorf("%d tweets were missed again and again, want 100", n)
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where gone_reason is not null`); n != 0 {
		t.Errorf("%d tweets that are there count as deleted", n)
	}
	// Five minutes later.
	_, err = e.sql.Exec(t.Context(), `update gorgone.population set measured_at = measured_at - interval '6 min'`)
	testkit.Must(t, err)
	p, err := store.New(e.db, e.clock, store.Options{}).Population(t.Context())
	if err != nil || !p.Held() || p.Missing != 100 {
		t.Errorf("deletions are not held: %+v, %v", p, err)
	}
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Clear: true}))
	e.lookAgain()
	e.eventually("new tweets seen", seenAll, 200)
}

// TestFaultsDeleteNothing: neither an empty answer among good ones, nor dropped
// tweets here and there, nor counters that are 0 change what is believed.
func TestFaultsDeleteNothing(t *testing.T) {
	t.Parallel()
	third := 0.3
	for name, fault := range map[string]fakeprovider.Injection{
		"an empty call":   {Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.Empty, Next: 1}}},
		"many drops":      {DropShare: &third},
		"zeroed counters": {Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.ZeroedCounts, Next: 1}}},
		"zeroed views":    {Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.ZeroedViews, Next: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 200})
			e.track()
			e.run(e.worker(workerOptions{}))
			e.dispatch()
			e.eventually("tweets seen", seenAll, 200)
			before := e.count(`select sum(total_engagement + view_count)::int4 from twitter_tweets`)
			testkit.Must(t, e.double.Inject(fault))
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

// loggedBreaker is a breaker that logs how calls ended.
type loggedBreaker struct {
	lookup.Breaker
	log chan<- string
}

func (b loggedBreaker) Failed(ctx context.Context, began time.Time, answered bool) bool {
	b.log <- "failed"
	return b.Breaker.Failed(ctx, began, answered)
}

func (b loggedBreaker) Succeeded(ctx context.Context, began time.Time) {
	b.log <- "succeeded"
	b.Breaker.Succeeded(ctx, began)
}

// TestEachCallIsReportedWhenItEnds: one of two calls for a batch has an answer that
// cannot be believed. The breaker is told so before the next step begins.
func TestEachCallIsReportedWhenItEnds(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 100})
	e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.Empty, Next: 1}}}))
	log := make(chan string, 100)
	stop := e.run(e.worker(workerOptions{change: func(p *lookup.Provider) {
		p.Breaker = loggedBreaker{p.Breaker, log}
		call := p.Lookup
		p.Lookup = func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			log <- "call"
			return call(ctx, gate, ids)
		}
	}}))
	e.dispatch()
	e.eventually("tweets updated once", updatedOnce, 100)
	stop()
	// Then the one is made again, in two when a canary makes it too large for one.
	close(log)
	counts := make(map[string]int)
	for line := range log {
		counts[line]++
		if counts["call"] > 2 && counts["failed"] == 0 {
			t.Fatal("a third call was made before the breaker knew of the fault")
		}
	}
	if made := int(e.double.Stats().Calls); counts["failed"] != 1 || counts["succeeded"] != made-1 {
		t.Errorf("reported: %v, want one of %d calls that failed", counts, made)
	}
}
