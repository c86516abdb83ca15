package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"gorgone/engagement"
	"gorgone/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds everything a test waits for; it is never reached when all is well.
const patience = 2 * time.Minute

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func testContext(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

func tweetID(i int) string { return engagement.TweetIDAt(epoch, int64(i)) }

// newBatch makes a batch of n tweets with the given number of rows each.
func newBatch(n, rows int) queue.Batch {
	b := queue.Batch{ID: uuid.New(), Until: epoch.Add(3 * time.Minute)}
	for i := range n {
		t := queue.Tweet{ID: tweetID(i)}
		for range rows {
			t.Rows = append(t.Rows, uuid.New())
		}
		b.Tweets = append(b.Tweets, t)
	}
	return b
}

func newRefresh(i int) queue.Refresh {
	return queue.Refresh{RequestID: uuid.New(), TweetID: tweetID(i), RequestedAt: epoch, Deadline: epoch.Add(time.Second)}
}

func publish(tb testing.TB, q *queue.Queue, batches ...queue.Batch) {
	tb.Helper()
	if refused, err := q.PublishBatches(testContext(tb), batches); err != nil {
		tb.Fatalf("%d refused: %v", len(refused), err)
	}
}

func publishRefresh(tb testing.TB, q *queue.Queue, r queue.Refresh) (coalesced bool) {
	tb.Helper()
	coalesced, err := q.PublishRefresh(testContext(tb), r)
	if err != nil {
		tb.Fatal(err)
	}
	return coalesced
}

func batches(tb testing.TB, q *queue.Queue) *queue.BatchConsumer {
	tb.Helper()
	in, err := q.ConsumeBatches(testContext(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(in.Stop)
	return in
}

func refreshes(tb testing.TB, q *queue.Queue) *queue.RefreshConsumer {
	tb.Helper()
	in, err := q.ConsumeRefreshes(testContext(tb))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(in.Stop)
	return in
}

func next(tb testing.TB, in *queue.BatchConsumer) *queue.BatchDelivery {
	tb.Helper()
	d, err := in.Next(testContext(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func nextGroup(tb testing.TB, in *queue.RefreshConsumer, limit int) []*queue.RefreshDelivery {
	tb.Helper()
	group, err := in.Fetch(testContext(tb), limit)
	if err != nil {
		tb.Fatal(err)
	}
	return group
}

func depth(tb testing.TB, q *queue.Queue) queue.Depth {
	tb.Helper()
	d, err := q.Depth(testContext(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// await asks until what was to happen has.
func await(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	ctx := testContext(tb)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("it never came to this: %s", what)
		}
	}
}

// awaitDepth asks for the depth until it is as wanted: the server counts a moment
// after it acknowledged what it counts.
func awaitDepth(tb testing.TB, q *queue.Queue, what string, wanted func(queue.Depth) bool) {
	tb.Helper()
	var last queue.Depth
	defer func() {
		if tb.Failed() {
			tb.Logf("the depth is %+v", last)
		}
	}()
	await(tb, what, func() bool {
		last = depth(tb, q)
		return wanted(last)
	})
}
