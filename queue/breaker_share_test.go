package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
)

func breaker(t *testing.T, server *natstest.Server, cfg queue.BreakerConfig) *queue.Breaker {
	t.Helper()
	b, _ := breakerOn(t, server, cfg)
	return b
}

// breakerOn is breaker, and the connection that it has to itself.
func breakerOn(t *testing.T, server *natstest.Server, cfg queue.BreakerConfig) (*queue.Breaker, *queue.Conn) {
	t.Helper()
	cfg.Key, cfg.Provider = "k", "p"
	conn := connect(t, server)
	q, err := queue.Open(testContext(t), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := queue.NewBreaker(testContext(t), q, cfg, wallClock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, conn
}

func awaitState(t *testing.T, b *queue.Breaker, want queue.BreakerState) {
	t.Helper()
	await(t, "the breaker is "+string(want), func() bool { return b.Status().State == want })
}

// Three replicas share a breaker: one opens it, a restart of the server and of a
// replica does not forget it, one of them checks, and the first call that is answered
// closes it for all.
func TestReplicasShareTheBreaker(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := queue.BreakerConfig{Rest: time.Second, MostRest: 2 * time.Second}
	var replicas []*queue.Breaker
	var conns []*queue.Conn
	for range 3 {
		b, conn := breakerOn(t, server, cfg)
		replicas, conns = append(replicas, b), append(conns, conn)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()

	replicas[0].Open(ctx, time.Now(), queue.CauseOutOfCredit, "no credit")
	for _, b := range replicas {
		awaitState(t, b, queue.BreakerOpen)
		var stopped *queue.OpenError
		if err := b.Allow(); !errors.As(err, &stopped) || stopped.Cause != queue.CauseOutOfCredit || stopped.Next.IsZero() {
			t.Errorf("an open breaker says %v", err)
		}
	}
	server.Restart()
	if s := breaker(t, server, cfg).Status(); s.State != queue.BreakerOpen || s.Reason != "no credit" {
		t.Errorf("after a restart: %+v", s)
	}
	// One that cannot reach the server yet would rightly check by itself.
	for _, conn := range conns {
		await(t, "it is connected again", func() bool { return conn.Reconnects() > 0 && conn.Connected() })
	}

	var checks, at atomic.Int64
	var running conc.WaitGroup
	defer running.Wait()
	defer cancel()
	for _, b := range replicas {
		running.Go(func() {
			b.Run(ctx, func(context.Context) (queue.Cause, string) {
				if at.Add(1) > 1 {
					t.Error("two replicas check at the same time")
				}
				defer at.Add(-1)
				if checks.Add(1) == 1 {
					return queue.CauseOutOfCredit, "still none"
				}
				return "", ""
			})
		})
	}
	for _, b := range replicas {
		awaitState(t, b, queue.BreakerHalfOpen)
	}
	if n := checks.Load(); n != 2 {
		t.Errorf("%d checks, want one that failed and one that did not", n)
	}
	replicas[1].Succeeded(ctx, time.Now())
	for _, b := range replicas {
		awaitState(t, b, queue.BreakerClosed)
		if err := b.Allow(); err != nil {
			t.Error(err)
		}
	}
}

func TestFaultsOpenTheBreaker(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	ctx := testContext(t)
	for name, tc := range map[string]struct {
		calls string // f: fault, . : answered
		open  bool
	}{
		"a streak":         {"....ffff", true},
		"no streak":        {"fff.fff.fff.", false},
		"half of many":     {"f.f.f.f.f.f.f.f.f.f.f", true},
		"fewer of as many": {"f..f..f..f..f..f..f..f..", false},
	} {
		b := breaker(t, server, queue.BreakerConfig{Streak: 4, Rest: time.Hour, MostRest: time.Hour})
		for _, c := range tc.calls {
			if c == 'f' {
				b.Failed(ctx, time.Now(), "faults")
			} else {
				b.Succeeded(ctx, time.Now())
			}
		}
		if s := b.Status(); (s.State == queue.BreakerOpen) != tc.open || tc.open && s.Cause != queue.CauseOutage {
			t.Errorf("%s: %+v", name, s)
		}
		// The next case begins on a server that knows nothing.
		server.Wipe()
	}
}

// A replica that cannot tell the others stops all the same, and hears of the shared
// state again when the server is back.
func TestBreakerWithoutServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	b := breaker(t, server, queue.BreakerConfig{Rest: time.Hour, MostRest: time.Hour})
	server.Stop()
	b.Open(testContext(t), time.Now(), queue.CauseKeyRefused, "refused")
	if b.Allow() == nil {
		t.Error("calls are allowed")
	}
	server.Resume()
}
