package throttle_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
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

// Many replicas on a cluster that loses the server which led the shared state, hands the lead
// on again and again, or loses the bucket again and again: calls go on, no slot is given twice
// or too early, and no second holds more than the rate. Replicas that collide, and a server
// that calls the right revision wrong for a moment, only make one ask again.
func TestManyReplicasOnACluster(t *testing.T) {
	t.Parallel()
	const rate, replicas, before, wanted = 100, 32, 100, 300
	for name, disturb := range map[string]func(t *testing.T, c *natstest.Cluster, calls func() int){
		"the leader is lost": func(t *testing.T, c *natstest.Cluster, _ func() int) { c.StopLeaderOf(t, "KV_ENG_PACE") },
		"the leader changes": func(t *testing.T, c *natstest.Cluster, calls func() int) {
			every(t, calls, 10, wanted, func() { c.StepDown("KV_ENG_PACE") })
		},
		"the bucket is deleted": func(t *testing.T, c *natstest.Cluster, calls func() int) {
			js, err := jetstream.New(c.Connect(t))
			if err != nil {
				t.Fatal(err)
			}
			every(t, calls, 50, wanted, func() {
				if err := js.DeleteStream(testContext(t), "KV_ENG_PACE"); err != nil {
					t.Logf("deleting the bucket: %v", err) // a leader is elected
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := natstest.StartCluster(t, 3)
			ctx := testContext(t)
			var log grantLog
			var wg conc.WaitGroup
			defer wg.Wait()
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
			disturb(t, cluster, log.count)
			wg.Wait()
			checkRate(t, &log, rate)
		})
	}
}

// every calls f each time that so many more calls were made, until there are enough.
func every(t *testing.T, calls func() int, more, enough int, f func()) {
	t.Helper()
	for at := calls(); at < enough; at = calls() {
		f()
		await(t, "calls go on", func() bool { return calls() >= min(at+more, enough) })
	}
}

// checkRate checks by the times of the calls, and by the slots that they had, that the rate was
// never exceeded and no slot given twice.
func checkRate(t *testing.T, log *grantLog, rate int) {
	t.Helper()
	if most := busiest(log.times(), time.Second); most > rate {
		t.Errorf("%d calls within a second, want at most %d", most, rate)
	}
	grants := log.bySlot()
	for i := 1; i < len(grants); i++ {
		if apart := grants[i].Slot.Sub(grants[i-1].Slot); apart < time.Second/time.Duration(rate) {
			t.Errorf("two slots are only %s apart", apart)
		}
	}
}
