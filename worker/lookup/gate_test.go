package lookup

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"gorgone/queue"
)

// slotAt is a limiter that grants the next call at a certain time.
type slotAt time.Time

func (s slotAt) Wait(ctx context.Context) error {
	select {
	case <-time.After(time.Until(time.Time(s))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// checker is an owner that answers by calling itself.
type checker func() (time.Duration, error)

func (c checker) Check(context.Context, []string) (time.Duration, error) { return c() }

// ownedGate is a gate whose next slot is at the given time.
func ownedGate(slot time.Time, check checker) *gate {
	return &gate{Provider: &Provider{Batch: slotAt(slot)}, req: Request{Class: queue.ClassBatch, Owner: check}}
}

// Ownership of a batch is checked before the wait for a slot, again as often as that
// takes longer than ownership is known for, and not after it.
func TestOwnershipIsCheckedBeforeTheSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			valid, slot time.Duration
			checks      int
		}{
			{valid: time.Second, slot: 2500 * time.Millisecond, checks: 3},
			{valid: time.Second, slot: 500 * time.Millisecond, checks: 1},
			{valid: 0, slot: time.Hour, checks: 1}, // for good
		} {
			var checks int
			began := time.Now()
			g := ownedGate(began.Add(tc.slot), func() (time.Duration, error) { checks++; return tc.valid, nil })
			if err := g.waitOwned(t.Context()); err != nil || time.Since(began) != tc.slot || checks != tc.checks {
				t.Errorf("valid for %s, slot in %s: %v after %s, %d checks, want %d", tc.valid, tc.slot, err, time.Since(began), checks, tc.checks)
			}
		}
		g := ownedGate(time.Now().Add(time.Hour), func() (time.Duration, error) { return 0, ErrTakenOver })
		if err := g.waitOwned(t.Context()); !errors.Is(err, ErrTakenOver) {
			t.Errorf("taken over: %v", err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, errLeaseEnds)
		defer cancel()
		g = ownedGate(time.Now().Add(time.Hour), func() (time.Duration, error) { return time.Second, nil })
		if err := g.waitOwned(ctx); !errors.Is(err, errLeaseEnds) {
			t.Errorf("the lease ends: %v", err)
		}
	})
}
