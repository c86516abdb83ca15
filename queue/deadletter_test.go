package queue_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
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

// stored returns how many messages a stream holds, whoever has them.
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
	_, q := start(t, queue.Config{})
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
	if got.Lane != queue.LaneBatch || got.Reason != "no row of it can be written" || got.Deliveries != 1 ||
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
	server, q := start(t, queue.Config{})
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
	if list[0].Lane != queue.LaneRefresh || list[4].Lane != queue.LaneBatch || string(list[4].Body) != "not json" {
		t.Errorf("got %+v", list)
	}
	if limited, err := q.DeadLetters(testContext(t), 2); err != nil || len(limited) != 2 || limited[0].Seq != list[0].Seq {
		t.Errorf("two of them: %+v, %v", limited, err)
	}
	awaitDepth(t, q, "only the good ones are left", func(d queue.Depth) bool { return d.Batch.AckPending == 1 && d.Refresh.AckPending == 1 })
}

// A message that is delivered again and again without an answer is given up by the
// server, which tells; others are not held up by it.
func TestBackstopIsRecorded(t *testing.T) {
	t.Parallel()
	_, q := start(t, queue.Config{})
	publish(t, q, newBatch(1, 1))
	in := batches(t, q)
	for range 50 {
		if err := next(t, in).Nak(0); err != nil {
			t.Fatal(err)
		}
	}
	// The server notices when the next worker asks.
	good := newBatch(1, 1)
	publish(t, q, good)
	if got := next(t, in).Batch().ID; got != good.ID {
		t.Fatalf("got %s", got)
	}
	awaitDepth(t, q, "the server told", func(d queue.Depth) bool { return d.DeadLetters == 1 })
	got := deadLetters(t, q)[0]
	if got.Lane != queue.LaneBatch || got.Stream != "ENG_BATCH" || got.StreamSeq != 1 || got.Deliveries != 50 || !strings.Contains(got.Reason, "delivered 50 times") {
		t.Errorf("got %+v", got)
	}
}
