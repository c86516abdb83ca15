package app

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/pause"
	"gorgone/throttle"
	"gorgone/worker/lookup"
)

// stops is why look-ups rest: what people have paused, and how the providers do.
type stops struct {
	throttle.Providers

	pauses *pause.Watcher
	clock  *clock.Clock
	store  *store.Store
	keys   *keyring // of clients
}

// Stopped tells whether no refresh is looked up for the time being, and why. It
// fits web.Calls.
func (s stops) Stopped() (throttle.Stop, bool) { return s.on(pause.Refreshes) }

// StoppedIn tells it of the tweets of a zone, by whichever key these are looked up. It fits
// refresh.Calls.
func (s stops) StoppedIn(zone uuid.UUID) (throttle.Stop, bool) {
	owner, own := s.store.KeyOwner(zone)
	if _, paused := s.pauses.Paused(pause.Refreshes); paused || !own {
		return s.Stopped()
	}
	stop, stopped, shared := s.keys.stoppedIn(owner)
	if shared {
		return s.Stopped()
	}
	return stop, stopped
}

// on tells it of a lane.
func (s stops) on(lane pause.Lane) (throttle.Stop, bool) {
	if stop, paused := s.paused(lane); paused {
		return stop, true
	}
	return s.Providers.Stopped()
}

// paused tells whether people have paused a lane.
func (s stops) paused(lane pause.Lane) (throttle.Stop, bool) {
	p, paused := s.pauses.Paused(lane)
	if !paused {
		return throttle.Stop{}, false
	}
	return throttle.Stop{Cause: engagement.CausePaused, Reason: p.String(), Until: s.database(p.Until)}, true
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

// batches says why nothing is claimed; "" when something may be, if only for a client's own key.
func (s stops) batches() string {
	if stop, paused := s.paused(pause.Batches); paused {
		return stop.Reason
	}
	if why := s.shared(); why != "" && !s.keys.usable() {
		return why
	}
	return ""
}

// shared says why no call is made with the shared key.
func (s stops) shared() string {
	stop, stopped := s.Providers.Stopped()
	if !stopped {
		return ""
	}
	return fmt.Sprintf("calls are stopped until %s: %s", stop.Until.Format(time.TimeOnly), stop.Reason)
}

// openStops reads what is paused.
func openStops(ctx context.Context, d *Database, sources throttle.Providers, own *keyring) (stops, error) {
	watch, err := d.Pauses.Watch(ctx)
	return stops{Providers: sources, pauses: watch, clock: d.Clock, store: d.Store, keys: own}, err
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
