package queue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
)

func TestBatchThrough(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	sent := newBatch(200, 7) // the most that must fit
	sent.Trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	publish(t, q, sent)

	d := next(t, batches(t, q))
	got := d.Batch()
	if got.ID != sent.ID || !got.Until.Equal(sent.Until) || got.Trace != sent.Trace || d.Deliveries() != 1 {
		t.Errorf("got %s until %s, trace %q, delivery %d", got.ID, got.Until, got.Trace, d.Deliveries())
	}
	if !slices.EqualFunc(got.Tweets, sent.Tweets, func(a, b queue.Tweet) bool { return a.ID == b.ID && slices.Equal(a.Rows, b.Rows) }) {
		t.Error("the tweets differ")
	}
	if err := d.Ack(testContext(t)); err != nil {
		t.Fatal(err)
	}
	awaitDepth(t, q, "the batch is gone", func(d queue.Depth) bool { return d.Batch == queue.ClassDepth{} })
}

func TestPublishBatchesRefused(t *testing.T) {
	t.Parallel()
	twice := newBatch(2, 1)
	twice.Tweets[1].ID = twice.Tweets[0].ID
	badID := newBatch(1, 1)
	badID.Tweets[0].ID = "12>"
	endless := newBatch(1, 1)
	endless.Until = time.Time{}
	anonymous := newBatch(1, 1)
	anonymous.ID = uuid.Nil

	for _, c := range []struct {
		name  string
		batch queue.Batch
		want  string
		is    error
	}{
		{"too large", newBatch(400, 10), "fewer tweets", queue.ErrTooLarge},
		{"too many tweets", newBatch(queue.MaxBatchTweets+1, 1), "501 tweets", nil},
		{"no tweets", newBatch(0, 0), "0 tweets", nil},
		{"no row", newBatch(1, 0), "no row", nil},
		{"a tweet twice", twice, "listed twice", nil},
		{"not a tweet id", badID, "12>", engagement.ErrTweetID},
		{"no end", endless, "no end of the lease", nil},
		{"no id", anonymous, "no id", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server, q := queuetest.Start(t, queue.Config{Memory: true})
			before, after := newBatch(1, 1), newBatch(1, 1)
			refused, err := q.PublishBatches(testContext(t), []queue.Batch{before, c.batch, after})
			if err == nil || !strings.Contains(err.Error(), c.want) || (c.is != nil && !errors.Is(err, c.is)) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
			if !slices.Equal(refused, []uuid.UUID{c.batch.ID}) {
				t.Errorf("refused %v, want only %s", refused, c.batch.ID)
			}
			if n := stored(t, server, "ENG_BATCH"); n != 2 {
				t.Errorf("%d batches are stored, want the other two", n)
			}
		})
	}
}

func TestPublishBatchesFull(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{MaxBatches: 3})
	sent := []queue.Batch{newBatch(1, 1), newBatch(1, 1), newBatch(1, 1), newBatch(1, 1), newBatch(1, 1)}
	refused, err := q.PublishBatches(testContext(t), sent)
	if !errors.Is(err, queue.ErrFull) || !slices.Equal(refused, []uuid.UUID{sent[3].ID, sent[4].ID}) {
		t.Fatalf("refused %v, %v; want the last two because the queue is full", refused, err)
	}
	// What is taken and not answered still counts.
	in := batches(t, q)
	d := next(t, in)
	if _, err := q.PublishBatches(testContext(t), sent[3:4]); !errors.Is(err, queue.ErrFull) {
		t.Fatalf("with one taken: %v", err)
	}
	if err := d.Ack(testContext(t)); err != nil {
		t.Fatal(err)
	}
	publish(t, q, sent[3])
}

func TestPublishBatchTwice(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	b := newBatch(1, 1)
	publish(t, q, b, b)
	publish(t, q, b)
	if n := stored(t, server, "ENG_BATCH"); n != 1 {
		t.Errorf("%d batches are stored, want one", n)
	}
	if err := next(t, batches(t, q)).Ack(testContext(t)); err != nil {
		t.Fatal(err)
	}
	publish(t, q, b)
	if n := stored(t, server, "ENG_BATCH"); n != 0 {
		t.Errorf("%d batches are stored: a finished one came again", n)
	}
}

func TestPublishWithoutServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conn := queuetest.Connect(t, server)
	q, err := queue.Open(testContext(t), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	// What is sent before the client has noticed may have arrived, and does not count as refused.
	await(t, "noticed that the server is gone", func() bool { return !conn.Connected() })
	// No deadline: it must fail by itself.
	sent := []queue.Batch{newBatch(1, 1), newBatch(1, 1)}
	refused, err := q.PublishBatches(t.Context(), sent)
	if err == nil || len(refused) != 2 {
		t.Fatalf("refused %v, %v; want both", refused, err)
	}
	if _, err := q.PublishRefresh(testContext(t), newRefresh(1)); err == nil {
		t.Fatal("a refresh was published without a server")
	}
	server.Resume()
	// Nothing was buffered to be sent later.
	queuetest.Open(t, server, queue.Config{}) // after whatever a reconnected client would have sent first
	if n := stored(t, server, "ENG_BATCH") + stored(t, server, "ENG_REFRESH"); n != 0 {
		t.Errorf("%d messages are stored", n)
	}
}

func TestPublishCancelled(t *testing.T) {
	t.Parallel()
	q := queuetest.Open(t, natstest.Start(t), queue.Config{})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stopping")
	cancel(stop)
	b := newBatch(1, 1)
	refused, err := q.PublishBatches(ctx, []queue.Batch{b})
	if !errors.Is(err, stop) || !slices.Equal(refused, []uuid.UUID{b.ID}) {
		t.Errorf("refused %v, %v; want the batch, because of the cause", refused, err)
	}
}
