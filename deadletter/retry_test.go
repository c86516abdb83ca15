package deadletter_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"gorgone/deadletter"
	"gorgone/internal/enginetest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter/twittertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(runner(func() int { return pgtest.Run(m) }))
}

type runner func() int

func (r runner) Run() int { return r() }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// house has tracked tweets, one batch of which was claimed and given up.
type house struct {
	*enginetest.Ground
	retrier deadletter.Retrier
	batch   store.Batch
	letter  queue.DeadLetter
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{Ground: enginetest.New(t, queue.Config{})}
	h.retrier = deadletter.Retrier{Queue: h.Queue, Rows: h.Store, Clock: h.Clock}
	double, _ := h.Double(t, 5, twittertest.Config{})
	_, err := h.Store.Track(t.Context(), h.Zone.ID, enginetest.Tweets(double))
	must(t, err)
	claimed, err := h.Store.Claim(t.Context(), store.ClaimRequest{Tweets: 10, BatchTweets: 10, BatchRows: 10, Lease: h.Queue.Lease()})
	must(t, err)
	h.batch = claimed.Batches[0]
	message := queue.Batch{ID: h.batch.ClaimID, Until: h.batch.Until}
	for _, tweet := range h.batch.Tweets {
		message.Tweets = append(message.Tweets, queue.Tweet{ID: tweet.TweetID, Rows: tweet.Rows})
	}
	refused, err := h.Queue.PublishBatches(t.Context(), []queue.Batch{message})
	if err != nil || len(refused) > 0 {
		t.Fatal(refused, err)
	}
	must(t, h.take(t).DeadLetter(t.Context(), "a test"))
	h.letter = h.letters(t, 1)[0]
	return h
}

// take takes the next batch.
func (h *house) take(t *testing.T) *queue.BatchDelivery {
	t.Helper()
	in, err := h.Queue.Batches(t.Context())
	must(t, err)
	defer in.Stop()
	d, err := in.Next(t.Context())
	must(t, err)
	return d
}

// letters returns the dead letters, of which there are to be so many.
func (h *house) letters(t *testing.T, want int) []queue.DeadLetter {
	t.Helper()
	letters, err := h.Queue.DeadLetters(t.Context(), 10)
	must(t, err)
	if len(letters) != want {
		t.Fatalf("%d dead letters, want %d", len(letters), want)
	}
	return letters
}

// TestABatchThatIsStillHeldIsPublishedAgain: the same message goes to a worker, who
// finds its rows still claimed.
func TestABatchThatIsStillHeldIsPublishedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	// One of the five has been answered in the meantime.
	first := h.batch.Tweets[0]
	_, err := h.Store.Apply(t.Context(), store.Work{ClaimID: h.batch.ClaimID, Results: []store.Result{{TweetID: first.TweetID, Rows: first.Rows}}})
	must(t, err)
	did, err := h.retrier.Retry(t.Context(), h.letter)
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
	must(t, d.Ack(t.Context()))
	h.letters(t, 0)
}

// TestABatchThatIsNotHeldIsNotPublishedAgain: its rows that back off fall due.
func TestABatchThatIsNotHeldIsNotPublishedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	work := store.Work{ClaimID: h.batch.ClaimID}
	for _, tweet := range h.batch.Tweets[:2] {
		work.Results = append(work.Results, store.Result{TweetID: tweet.TweetID, Rows: tweet.Rows, Reason: "a test"})
	}
	_, err := h.Store.Apply(t.Context(), work)
	must(t, err)
	must(t, h.Store.Release(t.Context(), h.batch.ClaimID, h.batch.Rows()))
	did, err := h.retrier.Retry(t.Context(), h.letter)
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

// TestRefreshIsAskedForAnew, once while one is in the queue.
func TestRefreshIsAskedForAnew(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	id := h.batch.Tweets[0].TweetID
	body, err := json.Marshal(map[string]any{"v": 1, "request_id": uuid.New(), "tweet_id": id, "requested_at": time.Now().Add(-time.Hour)})
	must(t, err)
	letter := queue.DeadLetter{Lane: queue.LaneRefresh, Subject: "t.refresh." + id, Body: body, Seq: h.letter.Seq}
	for _, want := range []string{"is asked for again", "is under way already"} {
		if did, err := h.retrier.Retry(t.Context(), letter); err != nil || !strings.Contains(did, id+" "+want) && !strings.HasPrefix(did, "a refresh of tweet "+id) {
			t.Errorf("%q, %v", did, err)
		}
	}
	depth, err := h.Queue.Depth(t.Context())
	if err != nil || depth.Refresh.Pending != 1 {
		t.Errorf("%+v, %v", depth, err)
	}
}

// What cannot be retried is left as it is.
func TestWhatCannotBeRetriedStays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	for name, tc := range map[string]struct {
		letter queue.DeadLetter
		want   error
	}{
		"no message":         {queue.DeadLetter{Lane: queue.LaneBatch}, deadletter.ErrNotKept},
		"unreadable batch":   {queue.DeadLetter{Lane: queue.LaneBatch, Body: []byte("{}")}, deadletter.ErrUnreadable},
		"unreadable refresh": {queue.DeadLetter{Lane: queue.LaneRefresh, Subject: "t.refresh.1", Body: []byte("{}")}, deadletter.ErrUnreadable},
	} {
		tc.letter.Seq = h.letter.Seq
		if did, err := h.retrier.Retry(t.Context(), tc.letter); !errors.Is(err, tc.want) || did != "" {
			t.Errorf("%s: %q, %v", name, did, err)
		}
	}
	h.letters(t, 1)
	h.NATS.Stop()
	if _, err := h.retrier.Retry(t.Context(), h.letter); err == nil {
		t.Error("retried without a queue")
	}
	h.NATS.Resume()
}
