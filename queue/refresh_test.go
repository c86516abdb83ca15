package queue_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/queue/queuetest"
)

func TestRefreshThrough(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	sent := newRefresh(1)
	publishRefresh(t, q, sent)
	group := nextGroup(t, refreshes(t, q), 10)
	if len(group) != 1 {
		t.Fatalf("a group of %d", len(group))
	}
	got := group[0].Refresh()
	if got.RequestID != sent.RequestID || got.TweetID != sent.TweetID || !got.RequestedAt.Equal(sent.RequestedAt) || !got.Deadline.Equal(sent.Deadline) {
		t.Errorf("got %+v, want %+v", got, sent)
	}
}

// A second request for a tweet is coalesced while the first is queued, while it is
// in flight and while it is returned, and never after that.
func TestRefreshesCoalesce(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{RefreshAckWait: time.Minute})
	in := refreshes(t, q)
	step := func(when string, want bool) {
		t.Helper()
		if got := publishRefresh(t, q, newRefresh(1)); got != want {
			t.Fatalf("%s: coalesced is %v", when, got)
		}
	}
	step("nothing queued", false)
	step("queued", true)
	if publishRefresh(t, q, newRefresh(2)) {
		t.Fatal("another tweet was coalesced")
	}
	// The consumer may not have heard of the second message yet when the first is fetched.
	group := nextGroup(t, in, 10)
	if len(group) < 2 {
		group = append(group, nextGroup(t, in, 10)...)
	}
	if len(group) != 2 {
		t.Fatalf("%d messages, want 2", len(group))
	}
	first := group[0]
	step("in flight", true)
	if err := first.Nak(0); err != nil {
		t.Fatal(err)
	}
	step("returned", true)
	again := nextGroup(t, in, 10)[0]
	if again.Refresh().RequestID != first.Refresh().RequestID || again.Deliveries() != 2 {
		t.Fatalf("got %+v, delivery %d", again.Refresh(), again.Deliveries())
	}
	step("in flight again", true)
	if err := again.Ack(testContext(t)); err != nil {
		t.Fatal(err)
	}
	step("done", false)
}

func TestRefreshesOfTheMomentAreGrouped(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{RefreshAckWait: time.Minute}) // no answer is due in this test
	for i := range 25 {
		publishRefresh(t, q, newRefresh(i))
	}
	in := refreshes(t, q)
	seen := map[string]bool{}
	for _, want := range []int{10, 10, 5} {
		group := nextGroup(t, in, 10)
		if len(group) != want {
			t.Fatalf("a group of %d, want %d", len(group), want)
		}
		for _, d := range group {
			seen[d.Refresh().TweetID] = true
		}
	}
	if len(seen) != 25 {
		t.Errorf("%d tweets, want 25", len(seen))
	}
}

// A refresh does not wait for the batches that are queued, nor for those that
// workers sit on.
func TestRefreshOvertakesBacklog(t *testing.T) {
	t.Parallel()
	const backlog = 20_000
	_, q := queuetest.Start(t, queue.Config{MaxBatches: backlog})
	batch := newBatch(1, 1)
	all := make([]queue.Batch, backlog)
	for i := range all {
		all[i] = batch
		all[i].ID = uuid.New()
	}
	for some := range slices.Chunk(all, 1000) { // each has a time limit of its own
		publish(t, q, some...)
	}
	busy := batches(t, q)
	for range 16 {
		next(t, busy)
	}
	sent := newRefresh(1)
	publishRefresh(t, q, sent)
	if got := nextGroup(t, refreshes(t, q), 10)[0].Refresh(); got.RequestID != sent.RequestID {
		t.Errorf("got %+v", got)
	}
	awaitDepth(t, q, "the batches are where they were", func(d queue.Depth) bool {
		return d.Batch.Pending == backlog-16 && d.Batch.AckPending == 16 && d.Refresh.AckPending == 1
	})
}

func TestPublishRefreshRefused(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	good := newRefresh(1)
	for _, c := range []struct {
		name   string
		change func(*queue.Refresh)
		want   string
	}{
		{"not a tweet id", func(r *queue.Refresh) { r.TweetID = "1.*" }, "not a tweet id"},
		{"no request id", func(r *queue.Refresh) { r.RequestID = uuid.Nil }, "no request id"},
		{"no time", func(r *queue.Refresh) { r.RequestedAt = time.Time{} }, "no request time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := good
			c.change(&r)
			if _, err := q.PublishRefresh(testContext(t), r); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want one that says %q", err, c.want)
			}
		})
	}
}
