package throttle

import (
	"fmt"
	"time"

	"gorgone/engagement"
)

// breakerEntry is the state of a breaker as replicas share it. Times are milliseconds
// of database time since 1970. This file is its transitions.
type breakerEntry struct {
	V        int                     `json:"v"`
	Revision int64                   `json:"revision"` // increases with every change
	State    BreakerState            `json:"state"`
	Cause    engagement.FailureCause `json:"cause,omitempty"`
	Reason   string                  `json:"reason,omitempty"`
	Since    int64                   `json:"since_ms,omitempty"`
	Next     int64                   `json:"next_ms,omitempty"`
	Opens    int                     `json:"opens,omitempty"`
}

func decodeBreaker(value []byte) (breakerEntry, error) {
	e := breakerEntry{State: BreakerClosed}
	if value == nil {
		return e, nil
	}
	if err := decodeVersioned(value, &e.V, &e); err != nil {
		return breakerEntry{}, fmt.Errorf("decode the shared circuit breaker: %w", err)
	}
	switch e.State {
	case BreakerClosed, BreakerOpen, BreakerHalfOpen:
		return e, nil
	default:
		return breakerEntry{}, fmt.Errorf("decode the shared circuit breaker: state %.20q", e.State)
	}
}

func (e breakerEntry) status() BreakerStatus {
	s := BreakerStatus{State: e.State, Cause: e.Cause, Reason: e.Reason, Since: fromMilli(e.Since), Opens: e.Opens}
	if e.State == BreakerOpen {
		s.Next = fromMilli(e.Next)
	}
	return s
}

func (e breakerEntry) next(state BreakerState, now time.Time) breakerEntry {
	e.V, e.Revision = stateVersion, e.Revision+1
	if e.State != state || fromFuture(fromMilli(e.Since), now) {
		// Rounded down, so that the first call after it does not count as older.
		e.State, e.Since = state, now.UnixMilli()
	}
	return e
}

// opened opens the breaker. The outcome of a call that started before the breaker last
// changed its state is outdated. A breaker that was closed for no longer than it rested
// keeps its count of openings, so that the rests keep growing.
func (e breakerEntry) opened(started, now time.Time, cause engagement.FailureCause, reason string, cfg BreakerConfig) breakerEntry {
	if e.State == BreakerOpen {
		if e.Cause != engagement.CauseOutage || cause == engagement.CauseOutage {
			return e
		}
		// Missing credit or a refused key takes precedence: time does not mend it.
		e = e.next(BreakerOpen, now)
		e.Cause, e.Reason = cause, reason
		return e
	}
	if e.outdated(started, now) {
		return e
	}
	if e.State == BreakerClosed && now.Sub(fromMilli(e.Since)) > cfg.rest(e.Opens) {
		e.Opens = 0
	}
	return e.resting(now, cause, reason, cfg)
}

// outdated reports whether a call started before the breaker entered its state.
func (e breakerEntry) outdated(started, now time.Time) bool {
	since := fromMilli(e.Since)
	return started.Before(since) && !fromFuture(since, now)
}

// resting keeps the breaker open until the next check: for a random half to all of a
// time that doubles with each consecutive opening, up to a cap.
func (e breakerEntry) resting(now time.Time, cause engagement.FailureCause, reason string, cfg BreakerConfig) breakerEntry {
	e = e.next(BreakerOpen, now)
	e.Opens++
	e.Cause, e.Reason = cause, reason
	e.Next = ceilMilli(now.Add(time.Duration(float64(cfg.rest(e.Opens)) * (0.5 + cfg.Random()/2))))
	return e
}

// rest returns the longest rest after the given number of consecutive openings.
func (c BreakerConfig) rest(opens int) time.Duration {
	doubled := float64(c.Rest) * float64(int64(1)<<min(max(opens-1, 0), 30))
	return time.Duration(min(doubled, float64(c.MaxRest)))
}

// leased gives the next check to the caller, if one is due.
func (e breakerEntry) leased(now time.Time, lease time.Duration) (next breakerEntry, ok bool) {
	if e.State != BreakerOpen || now.Before(fromMilli(e.Next)) && !fromFuture(fromMilli(e.Since), now) {
		return e, false
	}
	e = e.next(BreakerOpen, now)
	e.Next = ceilMilli(now.Add(lease))
	return e, true
}

// checked applies the result of a check.
func (e breakerEntry) checked(now time.Time, cause engagement.FailureCause, reason string, cfg BreakerConfig) breakerEntry {
	switch {
	case e.State != BreakerOpen:
		return e
	case cause != "":
		if cause == engagement.CauseOutage && e.Cause != engagement.CauseOutage {
			// The check itself failed: missing credit or a refused key still stands.
			cause, reason = e.Cause, e.Reason
		}
		return e.resting(now, cause, reason, cfg)
	default:
		return e.next(BreakerHalfOpen, now)
	}
}

// closed closes a half-open breaker, if the call started since it was half open.
func (e breakerEntry) closed(started, now time.Time) breakerEntry {
	if e.State != BreakerHalfOpen || e.outdated(started, now) {
		return e
	}
	return e.next(BreakerClosed, now)
}
