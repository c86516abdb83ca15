package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// slotAt is a pace that grants the next call at a certain time.
type slotAt time.Time

func (s slotAt) Wait(ctx context.Context) error {
	select {
	case <-time.After(time.Until(time.Time(s))):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Whether a batch is still one's own is asked before the wait for a slot, again as
// often as it takes longer than that is sure for, and not after it.
func TestWhatIsSureIsAskedBeforeTheSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			sure, slot time.Duration
			asked      int
		}{
			{sure: time.Second, slot: 2500 * time.Millisecond, asked: 3},
			{sure: time.Second, slot: 500 * time.Millisecond, asked: 1},
			{sure: 0, slot: time.Hour, asked: 1}, // for good
		} {
			var asked int
			g := gate{sure: func(context.Context) (time.Duration, error) { asked++; return tc.sure, nil }}
			began := time.Now()
			if err := g.waitSure(t.Context(), slotAt(began.Add(tc.slot))); err != nil || time.Since(began) != tc.slot || asked != tc.asked {
				t.Errorf("sure for %s, slot in %s: %v after %s, asked %d times, want %d", tc.sure, tc.slot, err, time.Since(began), asked, tc.asked)
			}
		}
		g := gate{sure: func(context.Context) (time.Duration, error) { return 0, errTaken }}
		if err := g.waitSure(t.Context(), slotAt(time.Now().Add(time.Hour))); !errors.Is(err, errTaken) {
			t.Errorf("taken over: %v", err)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, errLeaseEnds)
		defer cancel()
		g.sure = func(context.Context) (time.Duration, error) { return time.Second, nil }
		if err := g.waitSure(ctx, slotAt(time.Now().Add(time.Hour))); !errors.Is(err, errLeaseEnds) {
			t.Errorf("the lease ends: %v", err)
		}
	})
}
