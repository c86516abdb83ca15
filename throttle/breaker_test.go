package throttle_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
	"gorgone/throttle"
)

func breaker(t *testing.T, server *natstest.Server, cfg throttle.BreakerConfig) *throttle.Breaker {
	t.Helper()
	b, _ := breakerOn(t, server, cfg)
	return b
}

// breakerOn is breaker, and the connection that it has to itself.
func breakerOn(t *testing.T, server *natstest.Server, cfg throttle.BreakerConfig) (*throttle.Breaker, *queue.Conn) {
	t.Helper()
	cfg.Key, cfg.Provider = "k", "p"
	conn := queuetest.Connect(t, server)
	q, err := queue.Open(testContext(t), conn, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := throttle.NewBreaker(testContext(t), q, cfg, wallClock{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b, conn
}

func awaitState(t *testing.T, b *throttle.Breaker, want throttle.BreakerState) {
	t.Helper()
	await(t, "the breaker is "+string(want), func() bool { return b.Status().State == want })
}

// Three replicas share a breaker: one opens it, a restart of the server and of a
// replica does not forget it, one of them checks, and the first call that is answered
// closes it for all.
func TestReplicasShareTheBreaker(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := throttle.BreakerConfig{Rest: time.Second, MaxRest: 2 * time.Second}
	var replicas []*throttle.Breaker
	var conns []*queue.Conn
	for range 3 {
		b, conn := breakerOn(t, server, cfg)
		replicas, conns = append(replicas, b), append(conns, conn)
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()

	replicas[0].Open(ctx, time.Now(), engagement.CauseOutOfCredit, "no credit")
	for _, b := range replicas {
		awaitState(t, b, throttle.BreakerOpen)
		var stopped *throttle.OpenError
		if err := b.Allow(); !errors.As(err, &stopped) || stopped.Cause != engagement.CauseOutOfCredit || stopped.Next.IsZero() {
			t.Errorf("an open breaker says %v", err)
		}
	}
	server.Restart()
	if s := breaker(t, server, cfg).Status(); s.State != throttle.BreakerOpen || s.Reason != "no credit" {
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
			b.Run(ctx, func(context.Context) (engagement.FailureCause, string) {
				if at.Add(1) > 1 {
					t.Error("two replicas check at the same time")
				}
				defer at.Add(-1)
				if checks.Add(1) == 1 {
					return engagement.CauseOutOfCredit, "still none"
				}
				return "", ""
			})
		})
	}
	for _, b := range replicas {
		awaitState(t, b, throttle.BreakerHalfOpen)
	}
	if n := checks.Load(); n != 2 {
		t.Errorf("%d checks, want one that failed and one that did not", n)
	}
	replicas[1].Succeeded(ctx, time.Now())
	for _, b := range replicas {
		awaitState(t, b, throttle.BreakerClosed)
		if err := b.Allow(); err != nil {
			t.Error(err)
		}
	}
}

func TestFaultsMakeTheProviderSuspected(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	ctx := testContext(t)
	for name, tc := range map[string]struct {
		calls     string // f: fault, . : answered
		suspected bool
	}{
		"a streak":         {"....ffff", true},
		"no streak":        {"fff.fff.fff.", false},
		"half of many":     {"f.f.f.f.f.f.f.f.f.f.f", true},
		"fewer of as many": {"f..f..f..f..f..f..f..f..", false},
		"started over":     {"fffffff", false},
	} {
		b := breaker(t, server, throttle.BreakerConfig{Streak: 4, Rest: time.Hour, MaxRest: time.Hour})
		suspected := false
		for _, c := range tc.calls {
			suspected = false
			if c == 'f' {
				suspected = b.Failed(ctx, time.Now(), false)
			} else {
				b.Succeeded(ctx, time.Now())
			}
		}
		if suspected != tc.suspected || b.Allow() != nil {
			t.Errorf("%s: suspected %v, want %v; %+v", name, suspected, tc.suspected, b.Status())
		}
	}
}

// A replica that cannot tell the others stops all the same, and hears of the shared
// state again when the server is back.
func TestBreakerWithoutServer(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	b := breaker(t, server, throttle.BreakerConfig{Rest: time.Hour, MaxRest: time.Hour})
	server.Stop()
	b.Open(testContext(t), time.Now(), engagement.CauseKeyRefused, "refused")
	if b.Allow() == nil {
		t.Error("calls are allowed")
	}
	server.Resume()
}
