package queue_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
)

// raw returns JetStream itself, for doing to a queue what the package does not.
func raw(t *testing.T, nc *nats.Conn) (context.Context, jetstream.JetStream) {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return testContext(t), js
}

// stored returns how many messages a stream holds, delivered or not.
func stored(t *testing.T, server *natstest.Server, stream string) int {
	t.Helper()
	ctx, js := raw(t, server.Connect(t))
	s, err := js.Stream(ctx, stream)
	if err != nil {
		t.Fatal(err)
	}
	return int(s.CachedInfo().State.Msgs)
}

func deleteStream(t *testing.T, nc *nats.Conn, name string) error {
	t.Helper()
	ctx, js := raw(t, nc)
	return js.DeleteStream(ctx, name)
}

func deadLetters(t *testing.T, q *queue.Queue) []queue.DeadLetter {
	t.Helper()
	list, err := q.DeadLetters(testContext(t), 100)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestDeadLetter(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	b := newBatch(2, 1)
	publish(t, q, b)
	d := next(t, batches(t, q))
	if err := d.DeadLetter(testContext(t), "no\nrow of it   can be written"); err != nil {
		t.Fatal(err)
	}
	awaitDepth(t, q, "the batch is gone", func(d queue.Depth) bool {
		return d.Batch.Pending+d.Batch.AckPending == 0 && d.DeadLetters == 1
	})
	// Again, as after a lost answer: the copy is stored once.
	if err := d.DeadLetter(testContext(t), "again"); err != nil && !strings.Contains(err.Error(), "already acknowledged") {
		t.Fatal(err)
	}
	list := deadLetters(t, q)
	if len(list) != 1 {
		t.Fatalf("%d dead letters, want 1", len(list))
	}
	got := list[0]
	if got.Class != queue.ClassBatch || got.Reason != "no row of it can be written" || got.Deliveries != 1 ||
		got.Subject != "eng.batch.due" || got.MsgID != b.ID.String() || got.Stream != "ENG_BATCH" || got.StreamSeq != 1 ||
		!got.FirstSeen.Equal(d.PublishedAt()) || got.At.Before(got.FirstSeen) {
		t.Errorf("got %+v", got)
	}
	var body struct{ Tweets []queue.Tweet }
	if err := json.Unmarshal(got.Body, &body); err != nil || len(body.Tweets) != 2 {
		t.Errorf("the body is %s (%v)", got.Body, err)
	}
}

// A message that cannot be read goes to the dead letters, with the reason, and the
// next one is taken.
func TestPoison(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	nc := server.Connect(t)
	ctx, js := raw(t, nc)
	put := func(subject, body string) {
		t.Helper()
		if _, err := js.Publish(ctx, subject, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	put("eng.batch.due", `not json`)
	put("eng.batch.due", `{"v":2}`)
	put("eng.batch.due", `{"v":1,"id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","until":"2026-11-01T12:00:00Z","tweets":[{"id":"7","rows":[]}]}`)
	good := newBatch(1, 1)
	publish(t, q, good)
	put("eng.refresh.7", `{"v":1,"tweet_id":"7"}`)
	put("eng.refresh.8", `{"v":1,"request_id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","tweet_id":"9","requested_at":"2026-11-01T12:00:00Z"}`)
	wanted := newRefresh(1)
	publishRefresh(t, q, wanted)

	if got := next(t, batches(t, q)).Batch().ID; got != good.ID {
		t.Errorf("got batch %s", got)
	}
	if group := nextGroup(t, refreshes(t, q), 10); len(group) != 1 || group[0].Refresh().RequestID != wanted.RequestID {
		t.Errorf("got %d refreshes", len(group))
	}
	list := deadLetters(t, q) // newest first
	wants := []string{`subject of tweet "8"`, "no request id", "tweet 7 has no row", "version 2", "invalid character"}
	if len(list) != len(wants) {
		t.Fatalf("%d dead letters, want %d", len(list), len(wants))
	}
	for i, want := range wants {
		if !strings.Contains(list[i].Reason, want) {
			t.Errorf("reason %d is %q, want %q in it", i, list[i].Reason, want)
		}
	}
	if list[0].Class != queue.ClassRefresh || list[4].Class != queue.ClassBatch || string(list[4].Body) != "not json" {
		t.Errorf("got %+v", list)
	}
	if limited, err := q.DeadLetters(testContext(t), 2); err != nil || len(limited) != 2 || limited[0].Seq != list[0].Seq {
		t.Errorf("two of them: %+v, %v", limited, err)
	}
	awaitDepth(t, q, "only the good ones are left", func(d queue.Depth) bool { return d.Batch.AckPending == 1 && d.Refresh.AckPending == 1 })
}

// exhaust lets a class's first message come to its most deliveries without an answer.
func exhaust(t *testing.T, q *queue.Queue, class queue.Class) {
	t.Helper()
	in, group := batches(t, q), refreshes(t, q)
	for range 50 {
		var err error
		if class == queue.ClassBatch {
			err = next(t, in).Nak(0)
		} else {
			err = nextGroup(t, group, 1)[0].Nak(0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The server notices when the next worker asks.
	if class == queue.ClassBatch {
		good := newBatch(1, 1)
		publish(t, q, good)
		if got := next(t, in).Batch().ID; got != good.ID {
			t.Fatalf("got %s", got)
		}
		return
	}
	publishRefresh(t, q, newRefresh(99))
	if got := nextGroup(t, group, 1)[0].Refresh().TweetID; got != tweetID(99) {
		t.Fatalf("got %s", got)
	}
}

// A message that is delivered again and again without an answer is given up by the
// server, which tells; others are not held up by it. It becomes a dead letter like
// others, and leaves its class.
func TestExhausted(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	in, err := q.ConsumeMaxDeliveries(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Stop)
	b, r := newBatch(2, 1), newRefresh(1)
	publish(t, q, b)
	publishRefresh(t, q, r)
	for before, class := range []queue.Class{queue.ClassBatch, queue.ClassRefresh} { // one letter a class
		exhaust(t, q, class)
		awaitDepth(t, q, "the server told", func(d queue.Depth) bool { return d.DeadLetters > before })
		if got := deadLetters(t, q)[0]; got.Class != class || got.StreamSeq != 1 || got.Deliveries != 50 || got.Body != nil {
			t.Errorf("the notice reads %+v", got)
		}
		e, err := in.Next(testContext(t))
		if err != nil {
			t.Fatal(err)
		}
		if class == queue.ClassRefresh && !publishRefresh(t, q, newRefresh(1)) {
			t.Error("the message that was given up does not block its tweet; this test shows nothing")
		}
		if err := e.DeadLetter(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	list := deadLetters(t, q)
	if len(list) != 2 {
		t.Fatalf("%d dead letters, want 2: %+v", len(list), list)
	}
	for i, d := range list { // newest first
		class := []queue.Class{queue.ClassRefresh, queue.ClassBatch}[i]
		if d.Class != class || d.Deliveries != 50 || d.Reason != "delivered 50 times without an answer" || d.FirstSeen.IsZero() || d.StreamSeq != 1 {
			t.Errorf("dead letter %+v", d)
		}
	}
	if got, err := list[0].Refresh(); err != nil || got.RequestID != r.RequestID {
		t.Errorf("the refresh is %+v (%v)", got, err)
	}
	if got, err := list[1].Batch(); err != nil || got.ID != b.ID || list[1].MsgID != b.ID.String() {
		t.Errorf("the batch is %+v (%v)", got, err)
	}
	if publishRefresh(t, q, newRefresh(1)) {
		t.Error("the tweet's next refresh is blocked")
	}
}

// The message may be gone when its notice is read.
func TestExhaustedAndGone(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	publish(t, q, newBatch(1, 1))
	exhaust(t, q, queue.ClassBatch)
	ctx, js := raw(t, server.Connect(t))
	stream, err := js.Stream(ctx, "ENG_BATCH")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.DeleteMsg(ctx, 1); err != nil {
		t.Fatal(err)
	}
	in, err := q.ConsumeMaxDeliveries(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(in.Stop)
	e, err := in.Next(ctx)
	if err != nil || e.Letter().Body != nil {
		t.Fatalf("got %+v, %v", e, err)
	}
	if err := e.DeadLetter(ctx); err != nil {
		t.Fatal(err)
	}
	list := deadLetters(t, q)
	if len(list) != 1 || list[0].Deliveries != 50 {
		t.Errorf("left is %+v, want the notice", list)
	}
	if err := q.Republish(ctx, list[0]); !errors.Is(err, queue.ErrNoDeadLetter) {
		t.Errorf("a message that was not kept is published again: %v", err)
	}
}

func TestDropAndRepublish(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	in := batches(t, q)
	for range 5 {
		publish(t, q, newBatch(1, 1))
		if err := next(t, in).DeadLetter(testContext(t), "why"); err != nil {
			t.Fatal(err)
		}
	}
	for _, seq := range []uint64{2, 4, 4} { // again: it is gone, which is as wanted
		if err := q.DeleteDeadLetter(testContext(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	seqs, err := q.DeadLetterSeqs(testContext(t))
	if err != nil || !slices.Equal(seqs, []uint64{1, 3, 5}) {
		t.Fatalf("left are %v, %v", seqs, err)
	}
	if _, err := q.DeadLetter(testContext(t), 4); !errors.Is(err, queue.ErrNoDeadLetter) {
		t.Errorf("a dropped one: %v", err)
	}
	if list := deadLetters(t, q); len(list) != 3 || list[0].Seq != 5 {
		t.Errorf("list %+v", list)
	}
	d, err := q.DeadLetter(testContext(t), 3)
	if err != nil {
		t.Fatal(err)
	}
	want, err := d.Batch()
	if err != nil {
		t.Fatal(err)
	}
	// Right after it was first published: it must not be taken for a duplicate.
	if err := q.Republish(testContext(t), d); err != nil {
		t.Fatal(err)
	}
	if got := next(t, in).Batch(); got.ID != want.ID {
		t.Errorf("got batch %s, want %s", got.ID, want.ID)
	}
}
