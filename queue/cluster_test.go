package queue_test

import (
	"testing"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc/pool"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
)

// On a cluster everything is kept three times, and goes on when the server that led
// the streams is gone: what was stored is delivered, requests coalesce, cells hold.
func TestReplicated(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	ctx := testContext(t)
	conn, err := queue.Connect(ctx, queue.Options{URL: cluster.URL(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	cfg := queue.Config{Replicas: 3}
	p := pool.NewWithResults[*queue.Queue]().WithErrors()
	for range 3 {
		p.Go(func() (*queue.Queue, error) { return queue.Open(ctx, conn, cfg) })
	}
	opened, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	q := opened[0]
	cell, err := q.DurableCell(ctx, "k", "the cell")
	if err != nil {
		t.Fatal(err)
	}
	revision, err := cell.CompareAndSwap(ctx, []byte("before"), 0)
	if err != nil {
		t.Fatal(err)
	}
	b, r := newBatch(3, 2), newRefresh(1)
	publish(t, q, b)
	publishRefresh(t, q, r)

	batchInbox, refreshInbox := batches(t, q), refreshes(t, q)
	cluster.StopLeaderOf(t, "ENG_BATCH")

	if d := next(t, batchInbox); d.Batch().ID != b.ID {
		t.Errorf("got batch %s", d.Batch().ID)
	} else if err := d.Ack(ctx); err != nil {
		t.Error(err)
	}
	group := nextGroup(t, refreshInbox, 10)
	if len(group) != 1 || group[0].Refresh().RequestID != r.RequestID {
		t.Fatalf("got %d refreshes", len(group))
	}
	if !publishRefresh(t, q, newRefresh(1)) {
		t.Error("a refresh in flight was not coalesced")
	}
	if _, err := cell.CompareAndSwap(ctx, []byte("after"), revision); err != nil {
		t.Error(err)
	}
	if value, _, err := cell.Load(ctx); err != nil || string(value) != "after" {
		t.Errorf("the cell holds %q, %v", value, err)
	}
}
