package queue_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/sourcegraph/conc/pool"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
)

func TestOpenTogether(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	conns := make([]*queue.Conn, 8)
	for i := range conns {
		conns[i] = queuetest.Connect(t, server)
	}
	ctx := testContext(t)
	p := pool.New().WithErrors()
	for _, conn := range conns {
		p.Go(func() error {
			_, err := queue.Open(ctx, conn, queue.Config{})
			return err
		})
	}
	if err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	publish(t, q, newBatch(1, 1))
	ctx := testContext(t)
	js, err := jetstream.New(server.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(ctx, "ENG_BATCH")
	if err != nil {
		t.Fatal(err)
	}
	cfg := stream.CachedInfo().Config
	cfg.Compression = jetstream.S2Compression // what an operator may set
	if _, err := js.UpdateStream(ctx, cfg); err != nil {
		t.Fatal(err)
	}

	again := queuetest.Open(t, server, queue.Config{MaxBatches: 7, AckWait: 20 * time.Second, RefreshAge: 40 * time.Second})

	if stream, err = js.Stream(ctx, "ENG_BATCH"); err != nil {
		t.Fatal(err)
	}
	got := stream.CachedInfo().Config
	if got.Compression != jetstream.S2Compression || got.MaxMsgs != 7 || got.MaxAge != queue.DefaultLease {
		t.Errorf("stream is %+v", got)
	}
	consumer, err := js.Consumer(ctx, "ENG_BATCH", "workers")
	if err != nil {
		t.Fatal(err)
	}
	if got := consumer.CachedInfo().Config.AckWait; got != 20*time.Second {
		t.Errorf("ack wait is %s", got)
	}
	awaitDepth(t, again, "the batch is still there", func(d queue.Depth) bool { return d.Batch.Pending == 1 })
}

func TestLease(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	lease := func(cfg queue.Config) (time.Duration, error) {
		t.Helper()
		q, err := queue.Open(testContext(t), queuetest.Connect(t, server), cfg)
		if err != nil {
			return 0, err
		}
		return q.Lease(), nil
	}
	want := func(cfg queue.Config, want time.Duration) {
		t.Helper()
		if got, err := lease(cfg); err != nil || got != want {
			t.Fatalf("lease with %+v is %s, %v; want %s", cfg, got, err, want)
		}
	}
	want(queue.Config{}, queue.DefaultLease)
	want(queue.Config{Prefix: "OTHER", Lease: 5 * time.Minute}, 5*time.Minute)
	want(queue.Config{Prefix: "OTHER"}, 5*time.Minute)
	want(queue.Config{Prefix: "OTHER", Lease: 5 * time.Minute}, 5*time.Minute)

	_, err := lease(queue.Config{Prefix: "OTHER", Lease: 4 * time.Minute})
	var differs *queue.LeaseError
	if !errors.As(err, &differs) || differs.Want != 4*time.Minute || differs.Have != 5*time.Minute {
		t.Fatalf("a differing lease gives %v", err)
	}
	for _, part := range []string{"OTHER_BATCH", "4m0s", "5m0s", "gorgone migrate"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not say %q", err, part)
		}
	}

	want(queue.Config{Prefix: "OTHER", Lease: 4 * time.Minute, AdoptLease: true}, 4*time.Minute)
	want(queue.Config{Prefix: "OTHER"}, 4*time.Minute)

	// What the stream says is checked against the rest of the configuration.
	if _, err := lease(queue.Config{Prefix: "OTHER", AckWait: 2 * time.Minute}); err == nil || !strings.Contains(err.Error(), "at least 4 times the ack wait") {
		t.Errorf("an ack wait too long for the stream's lease gives %v", err)
	}
}

func TestConfigFaults(t *testing.T) {
	t.Parallel()
	conn := queuetest.Connect(t, natstest.Start(t))
	for _, c := range []struct {
		name string
		cfg  queue.Config
		want []string
	}{
		{"names and numbers, all at once", queue.Config{Prefix: "eng.x", Replicas: 2, MaxBatches: -1, AckWait: time.Millisecond}, []string{`prefix "eng.x"`, "replicas 2", "max batches -1", "ack wait 1ms"}},
		{"lease and ack wait", queue.Config{Lease: time.Minute, AckWait: 20 * time.Second}, []string{"lease 1m0s: must be at least 4 times the ack wait of 20s"}},
		{"duplicates beyond the lease", queue.Config{Lease: 2 * time.Minute, DuplicateWindow: 3 * time.Minute}, []string{"duplicate window 3m0s: must not be longer than the lease of 2m0s"}},
		{"duplicates beyond the default lease", queue.Config{DuplicateWindow: time.Hour}, []string{"must not be longer than the lease of 3m0s"}},
		{"refresh ages before it is answered", queue.Config{RefreshAge: 5 * time.Second, RefreshAckWait: 10 * time.Second}, []string{"refresh age 5s"}},
		{"replicas without a cluster", queue.Config{Replicas: 3}, []string{"not part of a cluster", "1 replica"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := queue.Open(testContext(t), conn, c.cfg)
			if err == nil {
				t.Fatal("it was accepted")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestSurvivesWipedServer(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{Lease: 2 * time.Minute})
	server.Wipe()
	// The first attempts may still find the connection broken.
	await(t, "a batch was published", func() bool {
		_, err := q.PublishBatches(testContext(t), []queue.Batch{newBatch(1, 1)})
		return err == nil
	})
	if coalesced := publishRefresh(t, q, newRefresh(1)); coalesced {
		t.Error("refresh coalesced in an empty queue")
	}
	// The lease came back as it was.
	if got := queuetest.Open(t, server, queue.Config{}).Lease(); got != 2*time.Minute {
		t.Errorf("lease is %s", got)
	}
}
