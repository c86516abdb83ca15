package worker_test

import (
	"context"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/twitter/fakeprovider"
)

// TestRateLimitPausesAllAndCountsNothing: a 429 counts as no one's failure.
func TestRateLimitPausesAllAndCountsNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 500})
	e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.RateLimited, Next: 1}}}))
	e.dispatch()
	e.run(e.worker(workerOptions{}), e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 500)
	if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0`); n != 0 {
		t.Errorf("%d tweets are blamed for the rate limit", n)
	}
	if s := e.double.Stats(); s.RateLimited != 1 {
		t.Errorf("%d calls were refused, want the one", s.RateLimited)
	}
}

// TestLongPauseGivesTheClaimsBack: what cannot be looked up soon waits in
// Postgres, and every replica knows why.
func TestLongPauseGivesTheClaimsBack(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 500})
	e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.RateLimited, Next: 1}}}))
	watcher := e.pace(0)
	e.dispatch()
	e.run(e.worker(workerOptions{ratePause: time.Hour}), e.worker(workerOptions{ratePause: time.Hour}))
	e.eventually("unclaimed rows", `select count(*) from twitter_engagement_tracking where claim_id is null`, 500)
	if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0 or retry_at is not null`); n != 0 {
		t.Errorf("%d tweets are blamed for the rate limit", n)
	}
	if _, reason, paused := watcher.Paused(); !paused || reason != "rate limit" {
		t.Errorf("another replica knows of paused %v, %q", paused, reason)
	}
}

func TestOutOfCreditGivesTheClaimsBack(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 300})
	e.track()
	none := int64(0)
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Credits: &none}))
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("unclaimed rows", `select count(*) from twitter_engagement_tracking where claim_id is null`, 300)
	if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0 or retry_at is not null`); n != 0 {
		t.Errorf("%d tweets are blamed for the empty account", n)
	}
}

// A fault that passes is waited out: no tweet is blamed for it.
func TestFaultsThatPassBlameNoTweet(t *testing.T) {
	t.Parallel()
	for _, fault := range []fakeprovider.Fault{
		fakeprovider.ServerError, fakeprovider.Truncated, fakeprovider.StatusError, fakeprovider.Reset, fakeprovider.Challenge,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 50})
			e.track()
			e.run(e.worker(workerOptions{}))
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fault, Next: 3}}}))
			e.dispatch()
			e.eventually("tweets updated once", updatedOnce, 50)
			if n := e.count(blamed); n != 0 {
				t.Errorf("%d rows are blamed", n)
			}
		})
	}
}

// A success that knows none of the tweets is a fault of the provider, not fifty misses:
// it is retried, and then the tweets are in doubt.
func TestAnswersThatLackAllAreRetriedThenDoubted(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 50})
	e.track()
	e.run(e.worker(workerOptions{}))
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.Empty, Next: 3}}}))
	e.dispatch()
	e.eventually("rows that back off", `select count(*) from twitter_engagement_tracking
		where attempts = 1 and misses = 0 and retry_at is not null and claim_id is null and update_count = 0 and tier <> 'cold'`, 50)
	if s := e.double.Stats(); s.Calls != 3 {
		t.Errorf("%d calls, want 3", s.Calls)
	}
	// It goes on where it was as soon as it is due again.
	_, err := e.store.ForceDue(t.Context(), store.DueFilter{})
	testkit.Must(t, err)
	e.dispatch()
	e.eventually("tweets updated once", updatedOnce, 50)
}

// TestBadTweetStandsAlone: one id that the provider refuses must not recorded the
// other 49 of its call.
func TestBadTweetStandsAlone(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 50})
	ids := e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.BadTweet, IDs: ids[17:18]}}}))
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 49)
	e.eventually("bad tweets that back off", `select count(*) from twitter_engagement_tracking tr join twitter_tweets t on t.id = tr.tweet_db_id
		where t.tweet_id = $1 and attempts = 1 and claim_id is null`, 1, ids[17])
	// 2 * log2(50) = 11.3 on top of the first.
	if s := e.double.Stats(); s.Calls > 12 {
		t.Errorf("%d calls to find one bad id among 50, want at most 12", s.Calls)
	}
}

// TestBadTweetAtTheHeadBlocksNoOther has the longest overdue tweet refused for ever: round by
// round the others are seen, and it alone backs off, further each time.
func TestBadTweetAtTheHeadBlocksNoOther(t *testing.T) {
	t.Parallel()
	const tweets, rounds = 20, 3
	e := newEngine(t, engineOptions{tweets: tweets})
	ids := e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.BadTweet, IDs: ids[:1]}}}))
	e.run(e.worker(workerOptions{}))
	for round := 1; round <= rounds; round++ {
		_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking k set retry_at = null,
			next_update_at = case when w.tweet_id = $2 then $1::timestamptz - interval '1 hour' else $1::timestamptz end
			from twitter_tweets w where w.id = k.tweet_db_id`, e.clock.Now(), ids[0])
		testkit.Must(t, err)
		e.dispatch()
		e.eventually("tweets seen in each round", `select count(*) from twitter_engagement_tracking where update_count = $1 and attempts = 0
			and claim_id is null and next_update_at > $2`, tweets-1, round, e.clock.Now())
		e.eventually("bad tweets that back off", `select count(*) from twitter_engagement_tracking where update_count = 0 and attempts = $1
			and claim_id is null and retry_at > $2`, 1, round, e.clock.Now())
		if r := e.dispatch(); r.Tweets != 0 {
			t.Errorf("round %d: %d tweets are dispatched again at once", round, r.Tweets)
		}
	}
}

func TestMissingTweetsAreRecordedAndStayTracked(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 100})
	ids := e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{
		{Fault: fakeprovider.Deleted, IDs: ids[:3]}, {Fault: fakeprovider.Dropped, IDs: ids[3:5], Lookups: 1},
	}}))
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 95)
	missed := `select count(*) from twitter_engagement_tracking where misses = 1 and last_missed_at is not null
		and retry_at > last_missed_at and next_update_at is not null and tier <> 'cold' and gone_reason is null`
	e.eventually("missing tweets that stay tracked", missed, 5)
	_, err := e.store.ForceDue(t.Context(), store.DueFilter{TweetIDs: ids[:5]})
	testkit.Must(t, err)
	e.dispatch()
	e.eventually("tweets updated once", updatedOnce, 97)
}

// TestACounterThatCannotBeStoredSpoilsNothingElse: of a tweet without any it backs off.
func TestACounterThatCannotBeStoredSpoilsNothingElse(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 100})
	ids := e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{
		{Fault: fakeprovider.HugeViews, IDs: ids[:1]}, {Fault: fakeprovider.NoCounts, IDs: ids[1:2]}, {Fault: fakeprovider.NoViews, IDs: ids[2:3]},
	}}))
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 99)
	e.eventually("tweets that back off", `select count(*) from twitter_engagement_tracking where attempts = 1`, 1)
	noViews := `select count(*) from twitter_tweets where tweet_id = any($1::text[]) and view_count is null and like_count is not null`
	e.eventually("tweets without views", noViews, 2, ids[:3])
}

// refusingStore refuses whatever holds an observation of one tweet, as a constraint
// that we do not know of would.
type refusingStore struct {
	*store.Store
	tweet string
}

func (s refusingStore) Apply(ctx context.Context, w store.Work) (store.Applied, error) {
	for _, r := range w.Results {
		if r.Kind == store.Found && r.TweetID == s.tweet {
			return store.Applied{}, engagement.ErrOutOfRange // any error that is not an outage
		}
	}
	return s.Store.Apply(ctx, w)
}

func TestARefusedResultBacksOffAndTheOthersAreWritten(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20})
	ids := e.track()
	e.dispatch()
	e.run(e.worker(workerOptions{store: refusingStore{e.store, ids[13]}}))
	e.eventually("tweets updated once", updatedOnce, 19)
	e.eventually("rows that back off", `select count(*) from twitter_engagement_tracking where attempts = 1 and retry_at is not null and claim_id is null`, 1)
}

// An id that is none can be in a table that others write to. It must not hold up
// the tweets beside it.
func TestAnInvalidIDDelaysNoOther(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 300})
	e.track()
	_, err := e.sql.Exec(t.Context(), `update twitter_tweets set tweet_id = 'abc' where id = (select id from twitter_tweets limit 1)`)
	testkit.Must(t, err)
	e.run(e.worker(workerOptions{}))
	r := e.dispatch()
	e.eventually("tweets updated once", updatedOnce, 299)
	if r.Tweets != 299 || r.Refused != 0 {
		t.Errorf("dispatched %+v", r)
	}
}
