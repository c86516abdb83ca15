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

// steppedClock is a database's clock that can be set.
type steppedClock struct{ offset atomic.Int64 }

func (c *steppedClock) Database() time.Time {
	return time.Now().Add(time.Duration(c.offset.Load()))
}

func (c *steppedClock) step(d time.Duration) { c.offset.Add(int64(d)) }

// TestSteppedBackClockStopsNobody sets the database's clock back by an hour under two
// replicas that share a rate limiter: neither waits for it to catch up, neither with a pace
// that was reserved before, nor with one that rests, nor with a pause of before. What
// is paused after the step is.
func TestSteppedBackClockStopsNobody(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	clock := &steppedClock{}
	var replicas []*throttle.Limiter
	for range 2 {
		p, err := throttle.NewLimiter(testContext(t), queuetest.Open(t, server, queue.Config{}), throttle.LimiterConfig{Key: "k", Rate: 50}, clock)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		replicas = append(replicas, p)
	}
	call := func() {
		t.Helper()
		for range 5 {
			for _, p := range replicas {
				for _, class := range []queue.Class{queue.ClassBatch, queue.ClassRefresh} {
					if err := p.Class(class).Wait(testContext(t)); err != nil {
						t.Fatal(err)
					}
					p.Answered(testContext(t), clock.Database())
				}
			}
		}
	}
	call()
	clock.step(-time.Hour)
	call()
	if err := replicas[0].Pause(testContext(t), clock.Database().Add(30*time.Minute), "429"); err != nil {
		t.Fatal(err)
	}
	awaitPause(t, replicas[1], clock.Database())
	clock.step(-time.Hour)
	for _, p := range replicas {
		if until, _, paused := p.Paused(); paused {
			t.Errorf("paused until %s, and it is %s", until, clock.Database())
		}
	}
	call()
	// The next refusal is met as ever.
	if err := replicas[1].RateLimited(testContext(t), clock.Database(), time.Minute); err != nil {
		t.Fatal(err)
	}
	awaitPause(t, replicas[0], clock.Database())
	until, reason, _ := replicas[0].Paused()
	if left := until.Sub(clock.Database()); left > 2*time.Minute || reason != throttle.PauseRateLimit {
		t.Errorf("paused for %s: %s", left, reason)
	}
	status, err := replicas[0].Status(testContext(t))
	if err != nil || status.Factor != 0.5 {
		t.Errorf("%+v, %v: want half of the rate", status, err)
	}
	// A step forward ends a pause, and stops no call.
	clock.step(2 * time.Hour)
	call()
}

// TestSteppedBackClockLeavesTheBreakerWorking: it opens, is checked and closes as if
// the clock had not been set.
func TestSteppedBackClockLeavesTheBreakerWorking(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	clock := &steppedClock{}
	b, err := throttle.NewBreaker(testContext(t), queuetest.Open(t, server, queue.Config{}), throttle.BreakerConfig{
		Key: "k", Provider: "p", Streak: 1, Rest: time.Second, MaxRest: time.Second, Random: func() float64 { return 0 },
	}, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	for range 2 {
		b.Open(testContext(t), clock.Database(), engagement.CauseOutage, "down")
		var open *throttle.OpenError
		if err := b.Allow(); !errors.As(err, &open) {
			t.Fatalf("it stays closed: %v", err)
		}
		clock.step(-time.Hour)
		checkBreaker(t, b)
		clock.step(-time.Hour)
		b.Succeeded(testContext(t), clock.Database())
		if s := b.Status(); s.State != throttle.BreakerClosed {
			t.Fatalf("it does not close: %+v", s)
		}
		clock.step(-time.Hour)
	}
}

// checkBreaker has the provider of an open breaker checked, which finds it well.
func checkBreaker(t *testing.T, b *throttle.Breaker) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var running conc.WaitGroup
	running.Go(func() { b.Run(ctx, func(context.Context) (engagement.FailureCause, string) { return "", "" }) })
	await(t, "the breaker is half open", func() bool { return b.Status().State == throttle.BreakerHalfOpen })
	cancel()
	running.Wait()
}
