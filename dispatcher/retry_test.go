package dispatcher_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/dispatcher"
	"gorgone/internal/enginetest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/twitter/fakeprovider"
)

// retryStack has tracked tweets, one batch of which was claimed and given up.
type retryStack struct {
	*enginetest.Ground
	retrier dispatcher.Retrier
	batch   store.Batch
	letter  queue.DeadLetter
}

func newRetryStack(t *testing.T) *retryStack {
	t.Helper()
	h := &retryStack{Ground: enginetest.New(t, queue.Config{})}
	refreshes := &refresh.Service{Requests: h.Store, Queue: h.Queue, Clock: h.Clock, Log: zerolog.Nop()}
	h.retrier = dispatcher.Retrier{Queue: h.Queue, Rows: h.Store, Tweets: h.Store, Refreshes: refreshes, Clock: h.Clock}
	double, _ := h.FakeProvider(t, 5, fakeprovider.Config{})
	_, err := h.Store.Track(t.Context(), h.Zone.ID, enginetest.Tweets(double))
	testkit.Must(t, err)
	claimed, err := h.Store.Claim(t.Context(), store.ClaimRequest{Tweets: 10, BatchTweets: 10, BatchRows: 10, Lease: h.Queue.Lease()})
	testkit.Must(t, err)
	h.batch = claimed.Batches[0]
	message := queue.Batch{ID: h.batch.ClaimID, Until: h.batch.Until}
	for _, tweet := range h.batch.Tweets {
		message.Tweets = append(message.Tweets, queue.Tweet{ID: tweet.TweetID, Rows: tweet.Rows})
	}
	refused, err := h.Queue.PublishBatches(t.Context(), []queue.Batch{message})
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	testkit.Must(t, h.take(t).DeadLetter(t.Context(), "a test"))
	h.letter = h.letters(t, 1)[0]
	return h
}

// take takes the next batch.
func (h *retryStack) take(t *testing.T) *queue.BatchDelivery {
	t.Helper()
	in, err := h.Queue.ConsumeBatches(t.Context())
	testkit.Must(t, err)
	defer in.Stop()
	d, err := in.Next(t.Context())
	testkit.Must(t, err)
	return d
}

// letters returns the dead letters, of which there are to be so many.
func (h *retryStack) letters(t *testing.T, want int) []queue.DeadLetter {
	t.Helper()
	letters, err := h.Queue.DeadLetters(t.Context(), 10)
	testkit.Must(t, err)
	if len(letters) != want {
		t.Fatalf("%d dead letters, want %d", len(letters), want)
	}
	return letters
}

// TestABatchThatIsStillHeldIsPublishedAgain: the same message goes to a worker, who
// finds its rows still claimed.
func TestABatchThatIsStillHeldIsPublishedAgain(t *testing.T) {
	t.Parallel()
	h := newRetryStack(t)
	// One of the five has been answered in the meantime.
	first := h.batch.Tweets[0]
	_, err := h.Store.Apply(t.Context(), store.Work{ClaimID: h.batch.ClaimID, Results: []store.Result{{TweetID: first.TweetID, Rows: first.Rows}}})
	testkit.Must(t, err)
	did, err := h.retrier.Retry(t.Context(), h.letter, retryCaller)
	if err != nil || did != "published again: the batch still holds 4 of its 5 rows" {
		t.Errorf("%q, %v", did, err)
	}
	d := h.take(t)
	if d.Batch().ID != h.batch.ClaimID || !d.Batch().Until.Equal(h.batch.Until) || len(d.Batch().Tweets) != 5 || d.Deliveries() != 1 {
		t.Errorf("published %+v, delivered %d times", d.Batch(), d.Deliveries())
	}
	held, err := h.Store.Held(t.Context(), d.Batch().ID, h.batch.Rows())
	if err != nil || len(held) != 4 {
		t.Errorf("%d rows are held (%v)", len(held), err)
	}
	testkit.Must(t, d.Ack(t.Context()))
	h.letters(t, 0)
}

// TestABatchThatIsNotHeldIsNotPublishedAgain: its rows that back off fall due.
func TestABatchThatIsNotHeldIsNotPublishedAgain(t *testing.T) {
	t.Parallel()
	h := newRetryStack(t)
	work := store.Work{ClaimID: h.batch.ClaimID}
	for _, tweet := range h.batch.Tweets[:2] {
		work.Results = append(work.Results, store.Result{TweetID: tweet.TweetID, Rows: tweet.Rows, Reason: "a test"})
	}
	_, err := h.Store.Apply(t.Context(), work)
	testkit.Must(t, err)
	testkit.Must(t, h.Store.Release(t.Context(), h.batch.ClaimID, h.batch.Rows()))
	did, err := h.retrier.Retry(t.Context(), h.letter, retryCaller)
	if err != nil || !strings.Contains(did, "not published again: 2 rows that back off are due now") {
		t.Errorf("%q, %v", did, err)
	}
	depth, err := h.Queue.Depth(t.Context())
	if err != nil || depth.Batch.Pending+depth.Batch.AckPending > 0 {
		t.Errorf("%+v, %v", depth, err)
	}
	h.letters(t, 0)
	claimed, err := h.Store.Claim(t.Context(), store.ClaimRequest{Tweets: 10, BatchTweets: 10, BatchRows: 10, Lease: h.Queue.Lease()})
	if err != nil || claimed.Tweets != 5 {
		t.Errorf("%d tweets are due (%v)", claimed.Tweets, err)
	}
}

var retryCaller = refresh.Caller{Name: "test", Limits: store.Limits{Allowance: 2}}

// TestRefreshIsRequestedAgain, with one message while that is in the queue, and within
// the caller's limits.
func TestRefreshIsRequestedAgain(t *testing.T) {
	t.Parallel()
	h := newRetryStack(t)
	id := h.batch.Tweets[0].TweetID
	letter := func(id string) queue.DeadLetter {
		body, err := json.Marshal(map[string]any{"v": 1, "request_id": uuid.New(), "tweet_id": id, "requested_at": time.Now().Add(-time.Hour)})
		testkit.Must(t, err)
		return queue.DeadLetter{Class: queue.ClassRefresh, Subject: "t.refresh." + id, Body: body, Seq: h.letter.Seq}
	}
	for _, want := range []string{"tweet " + id + " is asked for again", "a refresh of tweet " + id + " is under way already"} {
		if did, err := h.retrier.Retry(t.Context(), letter(id), retryCaller); err != nil || did != want {
			t.Errorf("%q, %v", did, err)
		}
	}
	testkit.Must(t, h.Queue.AddDeadLetter(t.Context(), letter(id)))
	again := h.letters(t, 1)[0]
	var limit *store.LimitError
	if did, err := h.retrier.Retry(t.Context(), again, retryCaller); !errors.As(err, &limit) || did != "" {
		t.Errorf("over the allowance: %q, %v", did, err)
	}
	h.letters(t, 1)
	if _, err := h.retrier.Retry(t.Context(), letter("20"), retryCaller); !errors.Is(err, store.ErrTweetNotFound) {
		t.Errorf("of an unknown tweet: %v", err)
	}
	depth, err := h.Queue.Depth(t.Context())
	if err != nil || depth.Refresh.Pending != 1 {
		t.Errorf("%+v, %v", depth, err)
	}
	if open, err := h.Store.RefreshUnderWay(t.Context(), id); err != nil || !open {
		t.Errorf("no request is recorded (%v)", err)
	}
}

// What cannot be retried is left as it is.
func TestWhatCannotBeRetriedStays(t *testing.T) {
	t.Parallel()
	h := newRetryStack(t)
	for name, tc := range map[string]struct {
		letter queue.DeadLetter
		want   error
	}{
		"no message":         {queue.DeadLetter{Class: queue.ClassBatch}, dispatcher.ErrNotKept},
		"unreadable batch":   {queue.DeadLetter{Class: queue.ClassBatch, Body: []byte("{}")}, dispatcher.ErrUnreadable},
		"unreadable refresh": {queue.DeadLetter{Class: queue.ClassRefresh, Subject: "t.refresh.1", Body: []byte("{}")}, dispatcher.ErrUnreadable},
	} {
		tc.letter.Seq = h.letter.Seq
		if did, err := h.retrier.Retry(t.Context(), tc.letter, retryCaller); !errors.Is(err, tc.want) || did != "" {
			t.Errorf("%s: %q, %v", name, did, err)
		}
	}
	h.letters(t, 1)
	h.NATS.Stop()
	if _, err := h.retrier.Retry(t.Context(), h.letter, retryCaller); err == nil {
		t.Error("retried without a queue")
	}
	h.NATS.Resume()
}
