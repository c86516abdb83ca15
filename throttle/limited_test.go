package throttle_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/sourcegraph/conc"
	"github.com/sourcegraph/conc/pool"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
	"gorgone/throttle"
)

// Four replicas are at it when four calls at once are refused. All stop within
// 250 ms, also slots that are reserved; the rate is halved once; then one call goes
// first, and the others when it was answered, from slow to faster.
func TestRefusedReplicasRecoverTogether(t *testing.T) {
	t.Parallel()
	const rate, replicas, waiters = 100, 4, 6
	server := natstest.Start(t)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var log grantLog
	var callers conc.WaitGroup
	defer callers.Wait()
	defer cancel()
	limiters := make([]*throttle.Limiter, replicas)
	answered := make(chan struct{}) // what calls wait for before they are answered
	close(answered)
	gate := make(chan struct{}, 1) // guards answered
	gate <- struct{}{}
	for i := range limiters {
		p := join(t, queuetest.Open(t, server, queue.Config{}), throttle.LimiterConfig{Key: "k", Rate: rate, OnGrant: log.add})
		limiters[i] = p
		for w := range waiters {
			class := p.Class(queue.ClassBatch)
			if w == 0 {
				class = p.Class(queue.ClassRefresh)
			}
			callers.Go(func() {
				for class.Wait(ctx) == nil {
					began := time.Now()
					<-gate
					wait := answered
					gate <- struct{}{}
					<-wait
					p.Answered(ctx, began)
				}
			})
		}
	}
	await(t, "all are at it", func() bool { return log.count() > 50 })

	held := make(chan struct{})
	<-gate
	answered = held
	gate <- struct{}{}
	began := time.Now()
	refused := pool.New().WithErrors()
	for _, p := range limiters {
		refused.Go(func() error { return p.RateLimited(ctx, began, 4*time.Second) })
	}
	if err := refused.Wait(); err != nil {
		t.Fatal(err)
	}
	written := time.Now()
	status, err := limiters[0].Status(ctx)
	if err != nil || status.Factor != 0.5 || status.RateLimits != 1 || status.PausedUntil.IsZero() || status.Reason != throttle.PauseRateLimit {
		t.Errorf("after four refusals of one moment: %+v, %v", status, err)
	}
	until := status.PausedUntil
	await(t, "one call goes first", func() bool {
		return slices.ContainsFunc(log.all(), func(g throttle.Grant) bool { return g.At.After(until) })
	})
	probe := slices.MaxFunc(log.all(), func(a, b throttle.Grant) int { return a.Slot.Compare(b.Slot) })
	// It takes its time, and no other call begins.
	if status, err = limiters[1].Status(ctx); err != nil || !status.Recovering {
		t.Errorf("while the first call is under way: %+v, %v", status, err)
	}
	await(t, "others ask again and again", func() bool { return time.Since(probe.At) > 300*time.Millisecond })
	for _, g := range log.all() {
		if g.At.After(written.Add(250*time.Millisecond)) && g != probe {
			t.Errorf("a call began %s after the pause was written, %s from the first one", g.At.Sub(written), g.At.Sub(probe.At))
		}
	}
	resumed := time.Now()
	close(held)
	more := log.count() + 20
	await(t, "all go on", func() bool { return log.count() >= more })
	grants := log.bySlot()
	after := grants[slices.IndexFunc(grants, func(g throttle.Grant) bool { return g.Slot.After(probe.Slot) }):]
	// At half the rate all but a tenth is held back at first.
	if gap := after[1].Slot.Sub(after[0].Slot); gap < 100*time.Millisecond {
		t.Errorf("the first calls after the one are %s apart, want a tenth of half the rate", gap)
	}
	if after[0].At.Before(resumed) {
		t.Errorf("a call began before the first one was answered")
	}
	probes := int64(0)
	for _, p := range limiters {
		probes += p.Stats().Probes
	}
	// One that came too late for its slot was replaced.
	if probes < 1 {
		t.Error("no call went first")
	}
}
