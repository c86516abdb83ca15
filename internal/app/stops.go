package app

import (
	"context"
	"fmt"
	"time"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/queue"
	"gorgone/store/pause"
	"gorgone/throttle"
	"gorgone/worker/lookup"
)

// stops is why look-ups rest: what people have paused, and how the providers do.
type stops struct {
	throttle.Providers

	pauses *pause.Watcher
	clock  *clock.Clock
}

// Stopped tells whether no refresh is looked up for the time being, and why. It
// fits web.Calls.
func (s stops) Stopped() (throttle.Stop, bool) { return s.on(pause.Refreshes) }

// on tells it of a lane.
func (s stops) on(lane pause.Lane) (throttle.Stop, bool) {
	if p, paused := s.pauses.Paused(lane); paused {
		return throttle.Stop{Cause: engagement.CausePaused, Reason: p.String(), Until: s.database(p.Until)}, true
	}
	return s.Providers.Stopped()
}

// database converts a time to come to database time. The zero time stays.
func (s stops) database(engine time.Time) time.Time {
	if engine.IsZero() {
		return engine
	}
	return s.clock.Database().Add(s.clock.Real(engine.Sub(s.clock.Now())))
}

// Check implements lookup.Pauses.
func (s stops) Check(lane queue.Class) error {
	of := pause.Batches
	if lane == queue.ClassRefresh {
		of = pause.Refreshes
	}
	if p, paused := s.pauses.Paused(of); paused {
		return &lookup.OperatorPauseError{Reason: p.String(), Until: s.database(p.Until)}
	}
	return nil
}

// batches says why nothing is claimed; "" when something may be.
func (s stops) batches() string {
	stop, stopped := s.on(pause.Batches)
	switch {
	case !stopped:
		return ""
	case stop.Cause == engagement.CausePaused:
		return stop.Reason
	default:
		return fmt.Sprintf("calls are stopped until %s: %s", stop.Until.Format(time.TimeOnly), stop.Reason)
	}
}

// openStops reads what is paused.
func openStops(ctx context.Context, d *Database, sources throttle.Providers) (stops, error) {
	watch, err := d.Pauses.Watch(ctx)
	return stops{Providers: sources, pauses: watch, clock: d.Clock}, err
}

// closedGate tells a dispatcher when nothing should be claimed.
type closedGate struct {
	conn  *queue.Conn
	stops stops
}

// Closed implements dispatcher.Gate.
func (g closedGate) Closed() string {
	if !g.conn.Connected() {
		return "the queue is unavailable"
	}
	return g.stops.batches()
}
