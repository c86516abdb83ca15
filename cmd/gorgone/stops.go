package main

import (
	"context"
	"fmt"
	"time"

	"gorgone/internal/clock"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/worker"
)

// stops is why look-ups rest: what people have paused, and how the providers do.
type stops struct {
	queue.Sources

	pauses *store.PauseWatch
	clock  *clock.Clock
}

// Stopped tells whether no refresh is looked up for the time being, and why. It
// fits web.Calls.
func (s stops) Stopped() (queue.Stop, bool) { return s.on(store.PauseRefreshes) }

// on tells it of a lane.
func (s stops) on(lane store.PauseLane) (queue.Stop, bool) {
	if p, paused := s.pauses.Paused(lane); paused {
		return queue.Stop{Cause: queue.CausePaused, Reason: p.String(), Until: s.database(p.Until)}, true
	}
	return s.Sources.Stopped()
}

// database converts a time to come to database time. The zero time stays.
func (s stops) database(engine time.Time) time.Time {
	if engine.IsZero() {
		return engine
	}
	return s.clock.Database().Add(s.clock.Real(engine.Sub(s.clock.Now())))
}

// Hold implements worker.Holds.
func (s stops) Hold(lane queue.Lane) error {
	of := store.PauseBatches
	if lane == queue.LaneRefresh {
		of = store.PauseRefreshes
	}
	if p, paused := s.pauses.Paused(of); paused {
		return &worker.HoldError{Reason: p.String(), Until: s.database(p.Until)}
	}
	return nil
}

// batches says why nothing is claimed; "" when something may be.
func (s stops) batches() string {
	stop, stopped := s.on(store.PauseBatches)
	switch {
	case !stopped:
		return ""
	case stop.Cause == queue.CausePaused:
		return stop.Reason
	default:
		return fmt.Sprintf("calls are stopped until %s: %s", stop.Until.Format(time.TimeOnly), stop.Reason)
	}
}

// openStops reads what is paused.
func openStops(ctx context.Context, d database, sources queue.Sources) (stops, error) {
	watch, err := d.store.WatchPauses(ctx)
	return stops{Sources: sources, pauses: watch, clock: d.clock}, err
}
