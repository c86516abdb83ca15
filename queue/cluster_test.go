package queue_test

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
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

// Every stream, bucket and consumer has three replicas, and has them again when an operator
// has deleted all of them, or the whole cluster has lost its store, while they are in use.
func TestReplicasOfEverything(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	ctx := testContext(t)
	q := openOn(t, cluster)
	cell, err := q.VolatileCell(ctx, "k", "the cell")
	if err != nil {
		t.Fatal(err)
	}
	in := batches(t, q)
	js := bare(t, cluster)
	checkReplicas(t, js)
	for name := range replicas(t, js) {
		if err := js.DeleteStream(ctx, name); err != nil {
			t.Fatalf("delete stream %s: %v", name, err)
		}
	}
	// What finds them gone sets them up again, and what was refused is asked for again.
	await(t, "the cell is back", func() bool {
		_, err := cell.CompareAndSwap(ctx, []byte("again"), 0)
		return err == nil
	})
	b := newBatch(3, 1)
	await(t, "batches are taken again", func() bool {
		_, err := q.PublishBatches(ctx, []queue.Batch{b})
		return err == nil
	})
	if d := next(t, in); d.Batch().ID != b.ID {
		t.Errorf("got batch %s", d.Batch().ID)
	}
	checkReplicas(t, js)
}

func openOn(t *testing.T, cluster *natstest.Cluster) *queue.Queue {
	t.Helper()
	ctx := testContext(t)
	conn, err := queue.Connect(ctx, queue.Options{URL: cluster.URL(), Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	q, err := queue.Open(ctx, conn, queue.Config{Replicas: 3})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func bare(t *testing.T, cluster *natstest.Cluster) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// replicas returns on how many servers each stream is, and each of its consumers.
func replicas(t *testing.T, js jetstream.JetStream) map[string][]int {
	t.Helper()
	ctx := testContext(t)
	on := func(c *jetstream.ClusterInfo) int {
		if c == nil || c.Leader == "" {
			return 0
		}
		return 1 + len(c.Replicas)
	}
	found := make(map[string][]int)
	streams := js.ListStreams(ctx)
	for info := range streams.Info() {
		found[info.Config.Name] = []int{on(info.Cluster)}
		stream, err := js.Stream(ctx, info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		consumers := stream.ListConsumers(ctx)
		for c := range consumers.Info() {
			found[info.Config.Name] = append(found[info.Config.Name], on(c.Cluster))
		}
		if consumers.Err() != nil {
			t.Fatal(consumers.Err())
		}
	}
	if streams.Err() != nil {
		t.Fatal(streams.Err())
	}
	return found
}

func checkReplicas(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	want := map[string][]int{ // the stream, and each consumer
		"ENG_BATCH": {3, 3}, "ENG_REFRESH": {3, 3}, "ENG_DLQ": {3, 3}, "ENG_KEPT": {3, 3},
		"KV_ENG_PACE": {3}, "KV_ENG_PAUSE": {3},
	}
	await(t, "three replicas of everything", func() bool {
		return maps.EqualFunc(replicas(t, js), want, slices.Equal[[]int])
	})
}

// Many change one value while its leader is lost: what was acknowledged is there, each once,
// and one who knows the revision is refused by nothing but a conflict, which asking again
// resolves. A cluster does refuse the right revision now and then, as long as it has not
// applied a write that it has acknowledged.
func TestCompareAndSwapOnACluster(t *testing.T) {
	t.Parallel()
	const clients, each = 16, 10
	cluster := natstest.StartCluster(t, 3)
	ctx := testContext(t)
	cell, err := openOn(t, cluster).VolatileCell(ctx, "k", "the counter")
	if err != nil {
		t.Fatal(err)
	}
	p := pool.NewWithResults[outcome]().WithErrors()
	half := make(chan struct{}, clients)
	for range clients {
		own, err := openOn(t, cluster).VolatileCell(ctx, "k", "the counter")
		if err != nil {
			t.Fatal(err)
		}
		p.Go(func() (outcome, error) { return countUp(ctx, own, each, func() { half <- struct{}{} }) })
	}
	for range clients / 2 {
		<-half
	}
	cluster.StopLeaderOf(t, "KV_ENG_PACE")
	outcomes, err := p.Wait()
	if err != nil {
		t.Fatal(err)
	}
	var sum outcome
	for _, o := range outcomes {
		sum.stored, sum.unknown, sum.conflicts = sum.stored+o.stored, sum.unknown+o.unknown, sum.conflicts+o.conflicts
	}
	value, _, err := cell.Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got := binary.BigEndian.Uint64(value)
	t.Logf("%d stored, %d without an answer, %d conflicts; the counter is at %d", sum.stored, sum.unknown, sum.conflicts, got)
	if sum.stored != clients*each || got < sum.stored || got > sum.stored+sum.unknown {
		t.Errorf("%d were stored and %d may be, and the counter is at %d", sum.stored, sum.unknown, got)
	}
}

// outcome counts what became of writes.
type outcome struct{ stored, unknown, conflicts uint64 }

// countUp adds 1 to the cell n times, and tells when half of that is done.
func countUp(ctx context.Context, cell *queue.Cell, n uint64, half func()) (o outcome, err error) {
	for o.stored < n {
		value, revision, err := cell.Load(ctx)
		if ctx.Err() != nil {
			return o, context.Cause(ctx)
		}
		if err != nil {
			continue // there is no leader
		}
		var count uint64
		if value != nil {
			count = binary.BigEndian.Uint64(value)
		}
		_, err = cell.CompareAndSwap(ctx, binary.BigEndian.AppendUint64(nil, count+1), revision)
		switch {
		case err == nil:
			if o.stored++; o.stored == n/2 {
				half()
			}
		case errors.Is(err, queue.ErrConflict):
			o.conflicts++
		default:
			o.unknown++
		}
	}
	return o, nil
}
