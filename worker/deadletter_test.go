package worker_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker/lookup"
)

const backedOff = `select count(*) from twitter_engagement_tracking
	where claim_id is null and attempts = 1 and retry_at < $1 and next_update_at is not null`

// awaitDeadLetters waits for so many dead letters, and returns them, newest first.
func (e *engine) awaitDeadLetters(n int) []queue.DeadLetter {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		letters, err := e.queue.DeadLetters(ctx, n+1)
		testkit.Must(e.t, err)
		if len(letters) == n && !slices.ContainsFunc(letters, func(l queue.DeadLetter) bool { return l.Body == nil }) {
			return letters
		}
		<-tick.C
	}
}

// TestABatchThatPanicsIsDeadLettered panics at one tweet. Its batch is a dead letter, its
// rows back off instead of waiting for the lease to end, and the rest goes on.
func TestABatchThatPanicsIsDeadLettered(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 150})
	ids := e.track()
	var fixed bool
	stop := e.run(e.worker(workerOptions{lookup: func(next lookup.CallFunc) lookup.CallFunc {
		return func(ctx context.Context, gate twitter.Gate, asked []string) (twitter.Answer, error) {
			if slices.Contains(asked, ids[0]) && !fixed {
				panic("a bug that one batch brings out")
			}
			return next(ctx, gate, asked)
		}
	}}))
	r := e.dispatch()
	letter := e.awaitDeadLetters(1)[0]
	batch, err := letter.Batch()
	testkit.Must(t, err)
	if !strings.Contains(letter.Reason, "a bug that one batch brings out") || letter.Class != queue.ClassBatch || letter.Deliveries != 1 ||
		letter.FirstSeen.IsZero() || !slices.Contains(r.Claims, batch.ID) {
		t.Errorf("dead letter %+v", letter)
	}
	n := len(batch.Tweets)
	e.eventually("rows that back off", backedOff, n, e.clock.Now().Add(time.Minute))
	e.eventually("tweets updated once", updatedOnce, 150-n)
	stop()
	fixed = true
	e.run(e.worker(workerOptions{}))
	_, err = e.store.ForceDue(t.Context(), store.DueFilter{})
	testkit.Must(t, err)
	e.dispatch()
	e.eventually("all tweets", `select count(*) from twitter_engagement_tracking where update_count > 0 and claim_id is null and attempts = 0`, 150)
}

// TestABatchThatIsNeverSettled is delivered again and again, as when it ends every
// worker that takes it.
func TestABatchThatIsNeverSettled(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 10})
	ids := e.track()
	e.dispatch()
	e.ask(ids[0], time.Minute)
	batches, err := e.queue.ConsumeBatches(t.Context())
	testkit.Must(t, err)
	t.Cleanup(batches.Stop)
	refreshes, err := e.queue.ConsumeRefreshes(t.Context())
	testkit.Must(t, err)
	t.Cleanup(refreshes.Stop)
	for range 5 {
		b, err := batches.Next(t.Context())
		testkit.Must(t, err)
		testkit.Must(t, b.Nak(0))
		group, err := refreshes.Fetch(t.Context(), 1)
		testkit.Must(t, err)
		testkit.Must(t, group[0].Nak(0))
	}
	results, stop, err := e.queue.WatchResults(t.Context(), ids[0])
	testkit.Must(t, err)
	defer stop()
	e.run(e.worker(workerOptions{}))
	for _, letter := range e.awaitDeadLetters(2) {
		if letter.Reason != "delivered 5 times without an answer" || letter.Deliveries != 6 {
			t.Errorf("dead letter %+v", letter)
		}
	}
	e.eventually("rows that back off", backedOff, 10, e.clock.Now().Add(time.Minute))
	if done := <-results; done.Outcome != engagement.RequestFailed || done.Reason != "delivered 5 times without an answer" {
		t.Errorf("the refresh ended as %+v", done)
	}
	if s := e.double.Stats(); s.Calls != 0 {
		t.Errorf("%d calls were made", s.Calls)
	}
	if done := e.refresh(ids[0]); done.Outcome != engagement.RequestUpdated {
		t.Errorf("the next refresh ended as %+v", done)
	}
}

// TestWhatTheServerGaveUpIsDeadLettered goes past the queue's own backstop, after
// which the server never delivers the messages again.
func TestWhatTheServerGaveUpIsDeadLettered(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 10})
	ids := e.track()
	e.dispatch()
	e.ask(ids[0], time.Minute)
	batches, err := e.queue.ConsumeBatches(t.Context())
	testkit.Must(t, err)
	t.Cleanup(batches.Stop)
	refreshes, err := e.queue.ConsumeRefreshes(t.Context())
	testkit.Must(t, err)
	t.Cleanup(refreshes.Stop)
	for range 50 {
		b, err := batches.Next(t.Context())
		testkit.Must(t, err)
		testkit.Must(t, b.Nak(0))
		group, err := refreshes.Fetch(t.Context(), 1)
		testkit.Must(t, err)
		testkit.Must(t, group[0].Nak(0))
	}
	e.run(e.worker(workerOptions{}))
	for _, letter := range e.awaitDeadLetters(2) {
		if letter.Reason != "delivered 50 times without an answer" || letter.Body == nil {
			t.Errorf("dead letter %+v", letter)
		}
	}
	e.eventually("rows that back off", backedOff, 10, e.clock.Now().Add(time.Minute))
	if done := e.refresh(ids[0]); done.Outcome != engagement.RequestUpdated {
		t.Errorf("the next refresh ended as %+v", done)
	}
}

// TestOneBadTweetCostsTheLawOfHalves: a tweet that the provider refuses stands alone
// after at most 2 log2(n) calls on top of the first and of one that tells whether the
// provider answers others, whichever it is, and the others are applied in the same pass.
func TestOneBadTweetCostsTheLawOfHalves(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ n, bad, most int }{{50, 0, 13}, {50, 49, 13}, {50, 31, 13}, {2, 1, 4}, {7, 3, 7}, {1, 0, 2}} {
		e := newEngine(t, engineOptions{tweets: tc.n})
		ids := e.track()
		testkit.Must(t, e.double.Inject(fakeprovider.Injection{Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.BadTweet, IDs: ids[tc.bad : tc.bad+1]}}}))
		e.dispatch()
		stop := e.run(e.worker(workerOptions{}))
		e.eventually("tweets updated once", updatedOnce, tc.n-1)
		e.eventually("bad tweets that back off", `select count(*) from twitter_engagement_tracking k join twitter_tweets w on w.id = k.tweet_db_id
			where w.tweet_id = $1 and k.attempts = 1 and k.retry_at is not null and k.claim_id is null`, 1, ids[tc.bad])
		stop()
		if s := e.double.Stats(); s.Calls > int64(tc.most) { // 2 + floor(2 log2(n))
			t.Errorf("%d calls to find tweet %d of %d, want at most %d", s.Calls, tc.bad, tc.n, tc.most)
		}
		if n := e.count(`select count(*)::int from gorgone.batches where done_at is not null`); n != 1 {
			t.Errorf("%d batches are done, want the one", n)
		}
	}
}
