package worker_test

import (
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/throttle"
	"gorgone/twitter/fakeprovider"
)

// Any call for certain tweets fails, whatever is asked for beside them, and the provider
// has just been down, so that the breaker is open and those tweets are the longest
// overdue. All others are seen; the bad ones back off, each on its own row; and no breaker
// opens for them.
func TestTweetsWhoseCallsFailHideNoOthers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fault  fakeprovider.TweetFault
		bad    int
		seen   bool // all were seen before
		rounds int
	}{
		"one fails":             {fakeprovider.FailingTweet, 1, true, 1},
		"one fails, all new":    {fakeprovider.FailingTweet, 1, false, 1},
		"several fail, all new": {fakeprovider.FailingTweet, 4, false, 1},
		"one hangs":             {fakeprovider.HangingTweet, 1, true, 1},
		"one is refused":        {fakeprovider.BadTweet, 1, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const tweets = 200
			e := newEngine(t, engineOptions{tweets: tweets})
			ids := e.track()
			watcher := e.ground.Source(t, "watcher", "test", 100, breakerRest)
			e.run(e.worker(workerOptions{rate: 100, callTimeout: 500 * time.Millisecond}))
			seen := 0
			if tc.seen {
				e.dispatch()
				e.eventually("tweets updated once", updatedOnce, tweets)
				seen = 1
			}
			var bad []string
			for i := range tc.bad {
				bad = append(bad, ids[i*tweets/tc.bad])
			}
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: tc.fault, IDs: bad}}}))
			watcher.Breaker.Open(t.Context(), e.clock.Database(), engagement.CauseOutage, "down for a moment")
			opens := watcher.Breaker.Status().Opens
			_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking k set retry_at = null,
				next_update_at = case when w.tweet_id = any($2) then $1::timestamptz - interval '1 hour' else $1::timestamptz end
				from twitter_tweets w where w.id = k.tweet_db_id`, e.clock.Now(), bad)
			testkit.Must(t, err)
			e.dispatching(sourcesGate{throttle.Providers{watcher}})
			e.eventually("others seen", `select count(*) from twitter_engagement_tracking where update_count > $1 and attempts = 0`, tweets-tc.bad, seen)
			e.eventually("bad ones that back off", `select count(*) from twitter_engagement_tracking where update_count = $1 and attempts > 0 and retry_at is not null`, tc.bad, seen)
			e.awaitBreaker(watcher, throttle.BreakerClosed)
			if n := watcher.Breaker.Status().Opens; n > opens+1 {
				t.Errorf("the breaker opened %d times for bad tweets", n-opens)
			}
		})
	}
}

// The route that tells the balance is broken, in whatever way, and the provider was down
// for a moment: look-ups go on all the same.
func TestABrokenBalanceRouteHoldsNothingUp(t *testing.T) {
	t.Parallel()
	for _, fault := range fakeprovider.BalanceFaults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 50})
			e.track()
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Balance: &fault}))
			watcher := e.ground.Source(t, "watcher", "test", 0, breakerRest)
			watcher.Breaker.Open(t.Context(), e.clock.Database(), engagement.CauseOutOfCredit, "none for a moment")
			e.run(e.worker(workerOptions{balanceEvery: time.Second}))
			e.dispatching(sourcesGate{throttle.Providers{watcher}})
			e.eventually("tweets updated once", updatedOnce, 50)
			e.awaitBreaker(watcher, throttle.BreakerClosed)
		})
	}
}

// A share of the calls is refused, as by an edge node: each is made again, and no row
// stops.
func TestSporadicRefusalsStopNothing(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakeprovider.Fault{fakeprovider.Challenge, fakeprovider.Unauthorized, fakeprovider.OutOfCredit, fakeprovider.NotFound} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			const tweets = 2000
			e := newEngine(t, engineOptions{tweets: tweets})
			e.track()
			share := 0.1
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fault, Share: &share}}}))
			watcher := e.ground.Source(t, "watcher", "test", 0, breakerRest)
			e.run(e.worker(workerOptions{}), e.worker(workerOptions{}))
			e.dispatching(sourcesGate{throttle.Providers{watcher}})
			e.eventually("tweets seen", `select count(*) from twitter_engagement_tracking where update_count > 0`, tweets)
			if s := watcher.Breaker.Status(); s.Opens != 0 {
				t.Errorf("the breaker opened: %+v", s)
			}
			if calls := e.double.Stats().Calls; calls > 3*tweets/50 {
				t.Errorf("%d calls for %d tweets", calls, tweets)
			}
		})
	}
}

// The provider refuses every call, because a route or a parameter is no more: that is no
// tweet's fault. Work stops after a few calls and goes on when the service is back.
func TestAServiceThatRefusesEveryCallBlamesNoTweet(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakeprovider.Fault{fakeprovider.NotFound, fakeprovider.BadRequest} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			const tweets = 400
			e := newEngine(t, engineOptions{tweets: tweets})
			e.track()
			every, none := 1.0, 0.0
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fault, Share: &every}}}))
			watcher := e.ground.Source(t, "watcher", "test", 0, breakerRest)
			e.run(e.worker(workerOptions{}))
			e.dispatching(sourcesGate{throttle.Providers{watcher}})
			e.awaitBreaker(watcher, throttle.BreakerOpen)
			e.triedTimes(2)
			wide := 0
			for _, call := range e.double.Calls() {
				if len(call.IDs) > 1 {
					wide++
				}
			}
			if wide > 8 { // four batches at once, of two calls each
				t.Errorf("%d calls for many tweets were made of a service that refuses all", wide)
			}
			if n := e.count(blamed); n != 0 {
				t.Errorf("%d rows are blamed", n)
			}
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fault, Share: &none}}}))
			e.eventually("tweets updated once", updatedOnce, tweets)
		})
	}
}

// An account is suspended, of which many of the tracked tweets are, and the provider was
// down for a moment. Its answers lack many tweets at once, truly: the breaker does not open
// again and again for them, those that are there are seen, and the others are in doubt.
func TestAMassDeletionDoesNotKeepTheBreakerOpen(t *testing.T) {
	t.Parallel()
	const tweets = 200
	for name, every := range map[string]int{"a third": 3, "all": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: tweets})
			ids := e.track()
			watcher := e.ground.Source(t, "watcher", "test", 20, breakerRest)
			e.run(e.worker(workerOptions{rate: 20}), e.worker(workerOptions{rate: 20}))
			e.dispatch()
			e.eventually("tweets updated once", updatedOnce, tweets)
			var gone []string
			for i := 0; i < len(ids); i += every {
				gone = append(gone, ids[i])
			}
			watcher.Breaker.Open(t.Context(), e.clock.Database(), engagement.CauseOutage, "down for a moment")
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.Deleted, IDs: gone}}}))
			_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking k set retry_at = null,
				next_update_at = $1::timestamptz - (w.n || ' ms')::interval
				from (select id, row_number() over (order by tweet_id) as n from twitter_tweets) w where w.id = k.tweet_db_id`, e.clock.Now())
			testkit.Must(t, err)
			e.dispatching(sourcesGate{throttle.Providers{watcher}})
			e.eventually("those that are there are seen again", `select count(*) from twitter_engagement_tracking where update_count > 1`, tweets-len(gone))
			e.eventually("the others are in doubt, or missed", `select count(*) from twitter_engagement_tracking where (doubts > 0 or misses > 0) and update_count = 1`, len(gone))
			if s := watcher.Breaker.Status(); s.Opens > 4 {
				t.Errorf("the provider answered every call truly, and the breaker opened %d times in a row", s.Opens)
			}
		})
	}
}
