package throttle_test

import (
	"context"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/engagement"
	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
	"gorgone/throttle"
)

// A replica knows of more changes of the breaker than the server, which was wiped or
// restored from a backup: it goes by what the server says from then on, and stays neither
// open nor closed for good.
func TestReplicasGoByWhatAServerSaysThatLostTheBreaker(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	cfg := throttle.BreakerConfig{Rest: time.Millisecond, MaxRest: time.Millisecond}
	open := func(b *throttle.Breaker) {
		b.Open(ctx, time.Now(), engagement.CauseOutOfCredit, "no credit")
	}
	closeAgain := func(t *testing.T, b *throttle.Breaker) {
		t.Helper()
		running, stop := context.WithCancel(ctx)
		var checks conc.WaitGroup
		checks.Go(func() {
			b.Run(running, func(context.Context) (engagement.FailureCause, string) { return "", "" })
		})
		awaitState(t, b, throttle.BreakerHalfOpen)
		stop()
		checks.Wait()
		b.Succeeded(ctx, time.Now())
		awaitState(t, b, throttle.BreakerClosed)
	}
	wipe := func(s *natstest.Server, _ string) { s.Wipe() }
	restore := func(s *natstest.Server, backup string) { s.Restore(backup) }
	for name, tc := range map[string]struct {
		lose func(s *natstest.Server, backup string)
		open bool // as the replica knows it
	}{
		"open, wiped":      {wipe, true},
		"open, restored":   {restore, true},
		"closed, wiped":    {wipe, false},
		"closed, restored": {restore, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := natstest.Start(t)
			old, conn := breakerOn(t, server, cfg)
			open(old)
			closeAgain(t, old)
			backup := server.Backup()
			await(t, "it is connected again", func() bool { return conn.Reconnects() == 1 && conn.Connected() })
			for range 5 {
				open(old)
				closeAgain(t, old)
			}
			if tc.open {
				open(old)
			}
			tc.lose(server, backup)
			fresh := breaker(t, server, cfg)
			open(fresh)
			if !tc.open {
				awaitState(t, old, throttle.BreakerOpen)
				return
			}
			closeAgain(t, fresh)
			awaitState(t, old, throttle.BreakerClosed)
		})
	}
}

// The server has lost the pause, and how often the rate limit was hit. The next refusal
// pauses all replicas and halves the rate all the same, those that remember included.
func TestARefusalHalvesTheRateAfterTheServerLostThePause(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	ctx := testContext(t)
	open := func() (*throttle.Limiter, *queue.Conn) {
		conn := queuetest.Connect(t, server)
		q, err := queue.Open(ctx, conn, queue.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return join(t, q, throttle.LimiterConfig{Key: "k", Rate: 1000}), conn
	}
	old, conn := open()
	backup := server.Backup()
	await(t, "it is connected again", func() bool { return conn.Reconnects() == 1 && conn.Connected() })
	for range 3 {
		if err := old.RateLimited(ctx, time.Now(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
		await(t, "the pause is over", func() bool { _, _, paused := old.Paused(); return !paused })
	}
	server.Restore(backup)
	await(t, "it is connected again", func() bool { return conn.Reconnects() == 2 && conn.Connected() })
	fresh, _ := open()
	if err := fresh.Class(queue.ClassBatch).Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := old.Class(queue.ClassBatch).Wait(ctx); err != nil {
		t.Fatal(err)
	}
	before, err := old.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.RateLimited(ctx, time.Now(), 10*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	await(t, "the old replica knows of the pause", func() bool {
		s, err := old.Status(ctx)
		return err == nil && s.LimitedAt.After(before.LimitedAt)
	})
	_ = old.Class(queue.ClassBatch).Wait(ctx)
	after, err := old.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if after.Factor >= before.Factor && before.Factor > 0.1 {
		t.Errorf("the rate in force was %v before the refusal and is %v after it", before.Factor, after.Factor)
	}
}

// A call that was to be the probe is not made after all. Another replica need not wait
// until its time is up.
func TestAnAbandonedProbeIsPassedOn(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	ctx := testContext(t)
	const probeTime = time.Hour // longer than anybody waits
	var replicas []*throttle.Limiter
	granted := make(chan throttle.Grant, 10)
	for range 2 {
		q, err := queue.Open(ctx, queuetest.Connect(t, server), queue.Config{})
		if err != nil {
			t.Fatal(err)
		}
		replicas = append(replicas, join(t, q, throttle.LimiterConfig{
			Key: "k", Rate: 1000, ProbeTime: probeTime, OnGrant: func(g throttle.Grant) { granted <- g },
		}))
	}
	wait := func(l *throttle.Limiter) throttle.Grant {
		if err := l.Class(queue.ClassBatch).Wait(ctx); err != nil {
			t.Fatal(err)
		}
		return <-granted
	}
	wait(replicas[0])
	replicas[0].ProbeNext(ctx)
	probe := wait(replicas[0])
	replicas[0].Abandoned(ctx, probe.At)
	probe = wait(replicas[1])
	replicas[1].Answered(ctx, probe.At)
	wait(replicas[0])
}
