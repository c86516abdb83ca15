package worker_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/twitter/twittertest"
	"gorgone/worker"
)

// TestEveryTweetIsAppliedOnce is the main job at once: two dispatchers and four
// workers over 8,000 tweets.
func TestEveryTweetIsAppliedOnce(t *testing.T) {
	t.Parallel()
	const tweets = 8_000
	e := newEngine(t, engineOptions{tweets: tweets})
	e.track()
	ctx, cancel := context.WithCancel(t.Context())
	var dispatchers conc.WaitGroup
	for range 2 {
		dispatchers.Go(func() { e.dispatcher(openGate{}).Run(ctx) })
	}
	stop := e.run(e.worker(workerOptions{}), e.worker(workerOptions{}), e.worker(workerOptions{}), e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, tweets)
	cancel()
	dispatchers.Wait()
	stop()
	if n := e.count(snapshots); n != tweets {
		t.Errorf("%d snapshots of %d tweets", n, tweets)
	}
	if n := e.count(`select count(distinct tweet_id) from twitter_engagement_history`); n != tweets {
		t.Errorf("%d tweets have a snapshot, want %d", n, tweets)
	}
	if s := e.double.Stats(); s.Returned != tweets {
		t.Errorf("%d tweets were paid for, want %d", s.Returned, tweets)
	}
	depth, err := e.queue.Depth(t.Context())
	must(t, err)
	if depth.Batch.Pending != 0 || depth.Batch.AckPending != 0 || depth.DeadLetters != 0 {
		t.Errorf("left in the queue: %+v", depth)
	}
}

// TestWorkersTogetherKeepTheRate lets two workers share a rate that the double
// enforces, and asks the double's log.
func TestWorkersTogetherKeepTheRate(t *testing.T) {
	t.Parallel()
	// At a hundred calls a second the 3 % that stay unused are three calls: one that
	// is held up on a busy machine does not make a second too full.
	const rate, tweets = 100, 10_000
	e := newEngine(t, engineOptions{tweets: tweets, rate: rate})
	e.track()
	for e.dispatch().Tweets > 0 {
	}
	stop := e.run(e.worker(workerOptions{rate: rate}), e.worker(workerOptions{rate: rate}))
	// Outstanding work is bounded, so dispatching goes on beside.
	ctx, cancel := context.WithCancel(t.Context())
	var dispatching conc.WaitGroup
	dispatching.Go(func() { e.dispatcher(openGate{}).Run(ctx) })
	e.eventually("tweets updated once", updatedOnce, tweets)
	cancel()
	dispatching.Wait()
	stop()
	s := e.double.Stats()
	if s.MaxPerSecond > rate || s.RateLimited > 0 {
		t.Errorf("%d calls within a second, %d refused; the rate is %d", s.MaxPerSecond, s.RateLimited, rate)
	}
}

func TestRefreshOvertakesABacklog(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1000})
	ids := e.track()
	e.dispatch()
	// Every batch call hangs until the refresh has been answered.
	release := make(chan struct{})
	stop := e.run(e.worker(workerOptions{lookup: func(next worker.Lookup) worker.Lookup {
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			if len(ids) > 1 {
				select {
				case <-release:
				case <-ctx.Done():
				}
			}
			return next(ctx, gate, ids)
		}
	}}))
	done := e.refresh(ids[0])
	if done.Outcome != queue.Updated || len(done.Rows) != 1 || !done.Rows[0].SnapshotCreated {
		t.Errorf("refresh: %+v", done)
	}
	if done.Rows[0].Before.Likes.Known() && done.Rows[0].Before.Likes.Value() != 0 {
		t.Errorf("counts before the first look: %+v", done.Rows[0].Before)
	}
	close(release)
	// The batch that held the tweet lost it to the refresh, and must not write it
	// again.
	e.eventually("tweets updated once", updatedOnce, len(ids))
	stop()
	if n := e.count(snapshots); n != len(ids) {
		t.Errorf("%d snapshots of %d tweets", n, len(ids))
	}
}

func TestRefreshServesAllZones(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1})
	id := e.track()[0]
	other, err := e.store.CreateZone(t.Context(), store.Zone{Name: "other"})
	must(t, err)
	tweet, _ := e.double.Population().Tweet(id)
	_, err = e.store.Track(t.Context(), other.ID, []store.NewTweet{{TweetID: id, CreatedAt: tweet.CreatedAt}})
	must(t, err)
	e.run(e.worker(workerOptions{}))
	if done := e.refresh(id); len(done.Rows) != 2 {
		t.Errorf("answer for %d rows, want 2: %+v", len(done.Rows), done)
	}
	if s := e.double.Stats(); s.Calls != 1 {
		t.Errorf("%d calls for two zones, want 1", s.Calls)
	}
}

func TestRefreshOfAnUntrackedTweet(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 2})
	e.run(e.worker(workerOptions{}))
	for tweet := range e.double.Population().All() {
		if done := e.refresh(tweet.ID); done.Outcome != queue.Untracked {
			t.Errorf("outcome %s, want untracked", done.Outcome)
		}
		break
	}
}

func TestRefreshSaysWhyItFailed(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		fault  twittertest.Fault
		reason string
	}{
		{twittertest.OutOfCredit, "the provider account is out of credit"},
		{twittertest.Unauthorized, "the provider refuses the API key"},
		{twittertest.RateLimited, "paused: rate limit"},
	} {
		t.Run(string(tc.fault), func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 1})
			id := e.track()[0]
			must(t, e.double.Steer(twittertest.Steering{Calls: []twittertest.CallSteering{{Fault: tc.fault, Next: 1}}}))
			e.run(e.worker(workerOptions{}))
			done := e.refresh(id)
			if done.Outcome != queue.Failed || done.Reason != tc.reason {
				t.Errorf("%s %q, want failed %q", done.Outcome, done.Reason, tc.reason)
			}
		})
	}
}

// TestRateLimitPausesAllAndCountsNothing: a 429 is nobody's failure.
func TestRateLimitPausesAllAndCountsNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 500})
	e.track()
	must(t, e.double.Steer(twittertest.Steering{Calls: []twittertest.CallSteering{{Fault: twittertest.RateLimited, Next: 1}}}))
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
	must(t, e.double.Steer(twittertest.Steering{Calls: []twittertest.CallSteering{{Fault: twittertest.RateLimited, Next: 1}}}))
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
	must(t, e.double.Steer(twittertest.Steering{Credits: &none}))
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("unclaimed rows", `select count(*) from twitter_engagement_tracking where claim_id is null`, 300)
	if n := e.count(`select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0 or retry_at is not null`); n != 0 {
		t.Errorf("%d tweets are blamed for the empty account", n)
	}
}

// A success that knows none of the tweets is such a fault too, not fifty misses.
func TestProviderFaultsAreRetriedThenCountedOnTheRows(t *testing.T) {
	t.Parallel()
	for _, fault := range []twittertest.Fault{
		twittertest.ServerError, twittertest.Truncated, twittertest.StatusError, twittertest.Reset, twittertest.Empty,
	} {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 50})
			e.track()
			e.run(e.worker(workerOptions{}))
			must(t, e.double.Steer(twittertest.Steering{Calls: []twittertest.CallSteering{{Fault: fault, Next: 3}}}))
			e.dispatch()
			e.eventually("rows that back off", `select count(*) from twitter_engagement_tracking
				where attempts = 1 and misses = 0 and retry_at is not null and claim_id is null and update_count = 0 and tier <> 'cold'`, 50)
			if s := e.double.Stats(); s.Calls != 3 {
				t.Errorf("%d calls, want 3", s.Calls)
			}
			// It goes on where it was as soon as it is due again.
			_, err := e.store.ForceDue(t.Context(), store.DueFilter{})
			must(t, err)
			e.dispatch()
			e.eventually("tweets updated once", updatedOnce, 50)
		})
	}
}

// TestBadTweetStandsAlone: one id that the provider refuses must not sink the
// other 49 of its call.
func TestBadTweetStandsAlone(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 50})
	ids := e.track()
	must(t, e.double.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{{Fault: twittertest.BadTweet, IDs: ids[17:18]}}}))
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

// TestBadHeadBlocksNobody has the longest overdue tweet refused for ever: round by
// round the others are seen, and it alone backs off, further each time.
func TestBadHeadBlocksNobody(t *testing.T) {
	t.Parallel()
	const tweets, rounds = 20, 3
	e := newEngine(t, engineOptions{tweets: tweets})
	ids := e.track()
	must(t, e.double.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{{Fault: twittertest.BadTweet, IDs: ids[:1]}}}))
	e.run(e.worker(workerOptions{}))
	for round := 1; round <= rounds; round++ {
		_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking k set retry_at = null,
			next_update_at = case when w.tweet_id = $2 then $1::timestamptz - interval '1 hour' else $1::timestamptz end
			from twitter_tweets w where w.id = k.tweet_db_id`, e.clock.Now(), ids[0])
		must(t, err)
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
	must(t, e.double.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{
		{Fault: twittertest.Deleted, IDs: ids[:3]}, {Fault: twittertest.Dropped, IDs: ids[3:5], Looks: 1},
	}}))
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 95)
	missed := `select count(*) from twitter_engagement_tracking where misses = 1 and last_missed_at is not null
		and retry_at > last_missed_at and next_update_at is not null and tier <> 'cold' and gone_reason is null`
	e.eventually("missing tweets that stay tracked", missed, 5)
	_, err := e.store.ForceDue(t.Context(), store.DueFilter{TweetIDs: ids[:5]})
	must(t, err)
	e.dispatch()
	e.eventually("tweets updated once", updatedOnce, 97)
}

func TestCountsOutOfRangeSpoilOneTweetOnly(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 100})
	ids := e.track()
	must(t, e.double.Steer(twittertest.Steering{Tweets: []twittertest.TweetSteering{
		{Fault: twittertest.HugeViews, IDs: ids[:1]}, {Fault: twittertest.NoCounts, IDs: ids[1:2]}, {Fault: twittertest.NoViews, IDs: ids[2:3]},
	}}))
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 98)
	e.eventually("tweets that back off", `select count(*) from twitter_engagement_tracking where attempts = 1`, 2)
}

// TestFrozenWorkerWritesNothing freezes a worker between its look-up and its
// write until its lease has ended and another worker has done the work.
func TestFrozenWorkerWritesNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 10})
	e.track()
	frozen := &freezingSink{Store: e.store, frozen: make(chan struct{}), thaw: make(chan struct{})}
	e.dispatch()
	stopFrozen := e.run(e.worker(workerOptions{sink: frozen}))
	<-frozen.frozen
	// The lease ends: as if three minutes had passed.
	_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking set claimed_until = $1`, e.clock.Now())
	must(t, err)
	_, err = e.sql.Exec(t.Context(), `update gorgone.batches set claimed_until = $1`, e.clock.Now())
	must(t, err)
	e.dispatch()
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 10)
	close(frozen.thaw)
	stopFrozen()
	if n := e.count(updatedOnce); n != 10 {
		t.Errorf("%d tweets updated once, want 10: the frozen worker wrote", n)
	}
	if n := e.count(snapshots); n != 10 {
		t.Errorf("%d snapshots of 10 tweets", n)
	}
	if n := frozen.lost.Load(); n != 10 {
		t.Errorf("the frozen worker lost %d rows, want all 10", n)
	}
}

type freezingSink struct {
	*store.Store
	once   atomic.Bool
	frozen chan struct{}
	thaw   chan struct{}
	lost   atomic.Int64
}

func (s *freezingSink) Apply(ctx context.Context, w store.Work) (store.Applied, error) {
	if s.once.CompareAndSwap(false, true) {
		close(s.frozen)
		<-s.thaw
		a, err := s.Store.Apply(ctx, w)
		s.lost.Add(int64(a.Count(store.OutcomeLostClaim)))
		return a, err
	}
	return s.Store.Apply(ctx, w)
}

func TestStopGivesBackWhatHasNotBegun(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1000})
	e.track()
	e.dispatch()
	// At one call in fifty seconds, all but the first wait for their turn.
	first := e.worker(workerOptions{rate: 0.02})
	stop := e.run(first)
	e.called(1)
	stop()
	if n := e.count(updatedOnce); n != 50 {
		t.Errorf("%d tweets were updated, want the 50 of the call", n)
	}
	depth, err := e.queue.Depth(t.Context())
	must(t, err)
	// A message that was given back counts as in hand until it is taken again.
	if n := depth.Batch.Pending + depth.Batch.AckPending; n != 10 {
		t.Errorf("after the stop %d batches are in the queue, want all 10: %+v", n, depth.Batch)
	}
	e.run(e.worker(workerOptions{}))
	e.eventually("tweets updated once", updatedOnce, 1000)
}

// brokenSink refuses whatever holds an observation of one tweet, as a constraint
// that we do not know of would.
type brokenSink struct {
	*store.Store
	tweet string
}

func (s brokenSink) Apply(ctx context.Context, w store.Work) (store.Applied, error) {
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
	e.run(e.worker(workerOptions{sink: brokenSink{e.store, ids[13]}}))
	e.eventually("tweets updated once", updatedOnce, 19)
	e.eventually("rows that back off", `select count(*) from twitter_engagement_tracking where attempts = 1 and retry_at is not null and claim_id is null`, 1)
}

// An id that is none can be in a table that others write to. It must not hold up
// the tweets beside it.
func TestAnIllFormedIDHoldsUpNobody(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 300})
	e.track()
	_, err := e.sql.Exec(t.Context(), `update twitter_tweets set tweet_id = 'abc' where id = (select id from twitter_tweets limit 1)`)
	must(t, err)
	e.run(e.worker(workerOptions{}))
	r := e.dispatch()
	e.eventually("tweets updated once", updatedOnce, 299)
	if r.Tweets != 299 || r.Refused != 0 {
		t.Errorf("dispatched %+v", r)
	}
}
