package throttle_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
	"gorgone/throttle"
)

// awaitPause waits until the replica holds still until the given time or later.
func awaitPause(t *testing.T, p *throttle.Limiter, until time.Time) (reason string) {
	t.Helper()
	await(t, "the replica learnt of the pause", func() bool {
		got, why, paused := p.Paused()
		reason = why
		return paused && !got.Before(until)
	})
	return reason
}

func TestPauseStopsAllReplicas(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := throttle.LimiterConfig{Key: "k"}
	a, b := join(t, queuetest.Open(t, server, queue.Config{}), cfg), join(t, queuetest.Open(t, server, queue.Config{}), cfg)
	other := join(t, queuetest.Open(t, server, queue.Config{}), throttle.LimiterConfig{Key: "another-key"})
	if _, _, paused := a.Paused(); paused {
		t.Fatal("paused from the start")
	}
	until := time.Now().Add(time.Hour)
	if err := a.Pause(testContext(t), until, "429"); err != nil {
		t.Fatal(err)
	}
	if reason := awaitPause(t, b, until); reason != "429" {
		t.Errorf("reason is %q", reason)
	}
	// A replica that starts later knows it from the start.
	late := join(t, queuetest.Open(t, server, queue.Config{}), cfg)
	if got, _, paused := late.Paused(); !paused || got.Before(until) || got.After(until.Add(6*time.Minute)) {
		t.Errorf("a late replica is paused until %s (%v)", got, paused)
	}

	for _, p := range []*throttle.Limiter{a, b, late} {
		err := p.Class(queue.ClassRefresh).Wait(testContext(t))
		var paused *throttle.PausedError
		if !errors.As(err, &paused) || paused.Until.Before(until) || paused.Reason != "429" || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait says %v", err)
		}
	}
	if err := other.Class(queue.ClassRefresh).Wait(testContext(t)); err != nil {
		t.Errorf("another key: %v", err)
	}
}

// Whoever asks, in whatever order: the longest pause stands.
func TestPauseIsOnlyLengthened(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := throttle.LimiterConfig{Key: "k", Random: func() float64 { return 0 }}
	a, b := join(t, queuetest.Open(t, server, queue.Config{}), cfg), join(t, queuetest.Open(t, server, queue.Config{}), cfg)
	base := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	var wg conc.WaitGroup
	for i := range 20 {
		for _, p := range []*throttle.Limiter{a, b} {
			wg.Go(func() {
				if err := p.Pause(testContext(t), base.Add(time.Duration(i*7%20)*time.Minute), "429"); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	longest := base.Add(19 * time.Minute)
	awaitPause(t, a, longest)
	awaitPause(t, b, longest)
	if err := a.Pause(testContext(t), base, "sooner"); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*throttle.Limiter{"a": a, "b": b, "late": join(t, queuetest.Open(t, server, queue.Config{}), cfg)} {
		if got, reason, _ := p.Paused(); !got.Equal(longest) || reason != "429" {
			t.Errorf("%s: paused until %s for %q, want %s", name, got, reason, longest)
		}
	}
}

// A call whose slot is reserved when the pause comes does not start in it.
func TestPauseHoldsReservedCall(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	var log grantLog
	p := join(t, q, throttle.LimiterConfig{Key: "k", Rate: aheadRate, OnGrant: log.add})
	waiting := reserveAhead(t, p)
	until := time.Now().Add(3 * time.Second)
	if err := p.Pause(testContext(t), until, "429"); err != nil {
		t.Fatal(err)
	}
	paused := time.Now()
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	for _, at := range log.times() {
		if at.After(paused) && at.Before(until) {
			t.Errorf("a call started %s before the end of the pause", until.Sub(at))
		}
	}
}

// Calls that wait for their slots when the pause comes do not start before it is
// over, and then not in a burst.
func TestPauseHoldsWaitingCalls(t *testing.T) {
	t.Parallel()
	const rate, calls = 4, 10
	_, q := queuetest.Start(t, queue.Config{})
	var log grantLog
	p := join(t, q, throttle.LimiterConfig{Key: "k", Rate: rate, OnGrant: log.add})
	var wg conc.WaitGroup
	for range calls { // more than two seconds' worth
		wg.Go(func() {
			if err := p.Class(queue.ClassBatch).Wait(testContext(t)); err != nil {
				t.Error(err)
			}
			p.Answered(testContext(t), time.Now())
		})
	}
	until := time.Now().Add(2 * time.Second)
	if err := p.Pause(testContext(t), until, "429"); err != nil {
		t.Fatal(err)
	}
	paused := time.Now()
	wg.Wait()
	grants := log.bySlot()
	if len(grants) != calls || grants[calls-1].At.Before(until) {
		t.Fatalf("%d calls started, the last at %s", len(grants), grants[len(grants)-1].At)
	}
	for i, g := range grants {
		if g.At.After(paused) && g.At.Before(until) {
			t.Errorf("a call started %s before the end of the pause", until.Sub(g.At))
		}
		if i > 0 && g.Slot.Sub(grants[i-1].Slot) < time.Second/rate {
			t.Errorf("two slots are only %s apart", g.Slot.Sub(grants[i-1].Slot))
		}
	}
}

func TestPauseSurvivesRestart(t *testing.T) {
	t.Parallel()
	server := natstest.Start(t)
	cfg := throttle.LimiterConfig{Key: "k"}
	a, b := join(t, queuetest.Open(t, server, queue.Config{}), cfg), join(t, queuetest.Open(t, server, queue.Config{}), cfg)
	first := time.Now().Add(time.Hour)
	if err := a.Pause(testContext(t), first, "429"); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	// It is on disk: a new replica knows it.
	if _, _, paused := join(t, queuetest.Open(t, server, queue.Config{}), cfg).Paused(); !paused {
		t.Error("the pause was lost")
	}
	// And what comes afterwards still reaches everybody, once they are back.
	second := first.Add(time.Hour)
	await(t, "the pause was told", func() bool { return a.Pause(testContext(t), second, "402") == nil })
	if reason := awaitPause(t, b, second); reason != "402" {
		t.Errorf("reason is %q", reason)
	}
}

// A replica that cannot tell the others pauses itself.
func TestPauseWithoutServer(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	p := join(t, q, throttle.LimiterConfig{Key: "k"})
	server.Stop()
	if err := p.Pause(testContext(t), time.Now().Add(time.Hour), "429"); err == nil {
		t.Error("the others were told without a server")
	}
	if _, _, paused := p.Paused(); !paused {
		t.Error("not paused")
	}
	server.Resume()
}
