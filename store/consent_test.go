package store_test

import (
	"testing"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/history"
)

// TestDefaultRetentionRemovesNothing: by default, what was there before the engine stays
// whatever is agreed to, and what the engine wrote until it is agreed to.
func TestDefaultRetentionRemovesNothing(t *testing.T) {
	t.Parallel()
	forEachHistory(t, func(t *testing.T, e *env) {
		before := e.grow(t, 9, 6)
		points := func() (n int) {
			for row := range before {
				n += len(e.snapshots(t, row))
			}
			return n
		}
		all, r := points(), history.Retention{Full: 2 * aDay}
		if did := must(e.Retain(t.Context(), r))(t); did != (history.Retained{Waiting: true}) || points() != all {
			t.Fatalf("%+v, %d of %d points are left", did, points(), all)
		}
		cut := must(e.Preview(t.Context(), r))(t)
		if !cut.Waiting(r) || cut.Oldest.IsZero() || cut.Oldest.After(e.clock.Now().Add(-r.Full)) {
			t.Fatalf("waits for consent: %+v", cut)
		}
		if cut.Adopted && cut.Points != older(before, cut) {
			t.Errorf("%d points would go, want %d", cut.Points, older(before, cut))
		}
		if err := e.Consent(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
		did := must(e.Retain(t.Context(), r))(t)
		if left := points(); cut.Adopted != (left == all) || did.Waiting != cut.Adopted {
			t.Errorf("with consent: %+v, %d of %d points are left", did, left, all)
		}
		// A choice needs no consent.
		e.retain(t, history.Retention{Chosen: true, Full: 2 * aDay})
		if left := points(); int64(all-left) != older(before, cut) {
			t.Errorf("%d of %d points are left, want %d less", left, all, older(before, cut))
		}
	})
}

// older counts the points that are from before the time of the cut.
func older(all map[uuid.UUID][]engagement.Snapshot, cut history.Cut) (n int64) {
	for _, points := range all {
		for _, p := range points {
			if p.At.Before(cut.Before) {
				n++
			}
		}
	}
	return n
}
