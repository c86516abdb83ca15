package throttle_test

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/throttle"
)

// openOn opens a queue of three replicas over a connection of its own, as another process
// would.
func openOn(tb testing.TB, cluster *natstest.Cluster) *queue.Queue {
	tb.Helper()
	ctx := testContext(tb)
	conn, err := queue.Connect(ctx, queue.Options{URL: cluster.URL(), Log: zerolog.Nop()})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(conn.Close)
	q, err := queue.Open(ctx, conn, queue.Config{Replicas: 3})
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// On a cluster the rate limit and the pause hold when the server that led the streams is
// gone.
func TestReplicated(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	ctx := testContext(t)
	q := openOn(t, cluster)
	limiter := join(t, q, throttle.LimiterConfig{Key: "k", Rate: 500})
	if err := limiter.Class(queue.ClassBatch).Wait(ctx); err != nil {
		t.Fatal(err)
	}
	cluster.StopLeaderOf(t, "KV_ENG_PACE")

	if err := limiter.Class(queue.ClassRefresh).Wait(ctx); err != nil {
		t.Error(err)
	}
	until := time.Now().Add(time.Hour)
	if err := limiter.Pause(ctx, until, "429"); err != nil {
		t.Error(err)
	}
	if got, _, _ := join(t, q, throttle.LimiterConfig{Key: "k"}).Paused(); got.Before(until) {
		t.Errorf("a new replica is paused until %s", got)
	}
}

// Many replicas on a cluster that loses the server which led the shared state: calls go on,
// none before its time, and no second holds more than the rate. Replicas that collide, and a
// server that calls the right revision wrong for a moment, only make one ask again.
func TestManyReplicasOnACluster(t *testing.T) {
	t.Parallel()
	const rate, replicas, before, wanted = 100, 64, 100, 250
	cluster := natstest.StartCluster(t, 3)
	ctx := testContext(t)
	var log grantLog
	var wg conc.WaitGroup
	for range replicas {
		limiter := join(t, openOn(t, cluster), throttle.LimiterConfig{Key: "k", Rate: rate, OnGrant: log.add})
		wg.Go(func() {
			for log.count() < wanted {
				if err := limiter.Class(queue.ClassBatch).Wait(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	await(t, "the replicas share the rate", func() bool { return log.count() >= before })
	cluster.StopLeaderOf(t, "KV_ENG_PACE")
	wg.Wait()

	if most := busiest(log.times(), time.Second); most > rate {
		t.Errorf("%d calls within a second, want at most %d", most, rate)
	}
	grants := log.bySlot()
	for i := 1; i < len(grants); i++ {
		if apart := grants[i].Slot.Sub(grants[i-1].Slot); apart < time.Second/rate {
			t.Errorf("two slots are only %s apart", apart)
		}
	}
}
