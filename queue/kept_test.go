package queue_test

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/queue/queuetest"
)

// TestKeptAnswers: what is kept is found by its batch, stored once, bounded in size, and
// delivered until it is acknowledged.
func TestKeptAnswers(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	_, q := queuetest.Start(t, queue.Config{Prefix: "T", Memory: true, AckWait: time.Second})
	work, other := uuid.New(), uuid.New()
	first := queue.Kept{ID: uuid.New(), Work: work, Body: []byte("first")}
	for _, k := range []queue.Kept{first, {ID: uuid.New(), Work: other, Body: []byte("other")}, first, {ID: uuid.New(), Work: work, Body: []byte("second")}} {
		if _, err := q.Keep(ctx, k); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := q.Keep(ctx, queue.Kept{ID: uuid.New(), Work: work, Body: make([]byte, 2*queue.MaxKeptBytes)}); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("keeping too much: %v", err)
	}
	kept := func(id uuid.UUID) (bodies []string) {
		list, err := q.KeptOf(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range list {
			bodies = append(bodies, string(b))
		}
		return bodies
	}
	if got := kept(work); len(got) != 2 || got[0] != "first" || got[1] != "second" {
		t.Errorf("kept of the batch: %q", got)
	}
	if got := kept(uuid.New()); len(got) > 0 {
		t.Errorf("kept of none: %q", got)
	}
	c, err := q.ConsumeKept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	delivered := make(map[string]int)
	for i := range 4 {
		d, err := c.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		delivered[string(d.Body())]++
		if i == 0 {
			err = d.Nak(0)
		} else {
			err = d.Ack(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := map[string]int{"first": 2, "other": 1, "second": 1}; !maps.Equal(delivered, want) {
		t.Errorf("delivered %v, want %v", delivered, want)
	}
	seq, err := q.Keep(ctx, queue.Kept{ID: uuid.New(), Work: work, Body: []byte("written")})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := q.Forget(ctx, seq); err != nil {
			t.Error(err)
		}
	}
	if d, err := q.Depth(ctx); err != nil || d.Kept != 0 {
		t.Errorf("left: %+v, %v", d, err)
	}
}
