package throttle_test

import (
	"testing"
	"time"

	"github.com/rs/zerolog"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/throttle"
)

// On a cluster the rate limit and the pause hold when the server that led the streams is
// gone.
func TestReplicated(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
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
