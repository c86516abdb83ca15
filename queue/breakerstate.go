package queue

import (
	"fmt"
	"time"
)

// breakerEntry is the state of a breaker as replicas share it; times are
// milliseconds of database time since 1970. This file is its rules.
type breakerEntry struct {
	V        int          `json:"v"`
	Revision int64        `json:"revision"` // goes up with every change
	State    BreakerState `json:"state"`
	Cause    Cause        `json:"cause,omitempty"`
	Reason   string       `json:"reason,omitempty"`
	Since    int64        `json:"since_ms,omitempty"`
	Next     int64        `json:"next_ms,omitempty"`
	Opens    int          `json:"opens,omitempty"`
}

func decodeBreaker(value []byte) (breakerEntry, error) {
	e := breakerEntry{State: BreakerClosed}
	if value == nil {
		return e, nil
	}
	if err := decodeVersioned(value, &e.V, &e); err != nil {
		return breakerEntry{}, fmt.Errorf("decode the shared breaker: %w", err)
	}
	switch e.State {
	case BreakerClosed, BreakerOpen, BreakerHalfOpen:
		return e, nil
	default:
		return breakerEntry{}, fmt.Errorf("decode the shared breaker: state %.20q", e.State)
	}
}

func (e breakerEntry) status() BreakerStatus {
	s := BreakerStatus{State: e.State, Cause: e.Cause, Reason: e.Reason, Since: orNoMilli(e.Since), Opens: e.Opens}
	if e.State == BreakerOpen {
		s.Next = orNoMilli(e.Next)
	}
	return s
}

func orNoMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func (e breakerEntry) next(state BreakerState, now time.Time) breakerEntry {
	e.V, e.Revision = schemaVersion, e.Revision+1
	if e.State != state || ahead(orNoMilli(e.Since), now) {
		// Rounded down: the first call after it must not count as one from before.
		e.State, e.Since = state, now.UnixMilli()
	}
	return e
}

// opened opens the breaker. What came of a call from before it last closed is old
// news. One that opens again sooner than it rested was not well: its rests go on growing.
func (e breakerEntry) opened(began, now time.Time, cause Cause, reason string, cfg BreakerConfig) breakerEntry {
	if e.State == BreakerOpen {
		if e.Cause != CauseOutage || cause == CauseOutage {
			return e
		}
		// What money or the key is the reason of, time does not heal.
		e = e.next(BreakerOpen, now)
		e.Cause, e.Reason = cause, reason
		return e
	}
	if e.oldNews(began, now) {
		return e
	}
	if e.State == BreakerClosed && now.Sub(orNoMilli(e.Since)) > cfg.rest(e.Opens) {
		e.Opens = 0
	}
	return e.rests(now, cause, reason, cfg)
}

// oldNews reports whether a call began before the breaker came into its state.
func (e breakerEntry) oldNews(began, now time.Time) bool {
	since := orNoMilli(e.Since)
	return began.Before(since) && !ahead(since, now)
}

// rests keeps the breaker open until the next check: after a random half to all of
// a time that doubles with each opening in a row, up to a cap.
func (e breakerEntry) rests(now time.Time, cause Cause, reason string, cfg BreakerConfig) breakerEntry {
	e = e.next(BreakerOpen, now)
	e.Opens++
	e.Cause, e.Reason = cause, reason
	e.Next = ceilMilli(now.Add(time.Duration(float64(cfg.rest(e.Opens)) * (0.5 + cfg.Random()/2))))
	return e
}

// rest is the longest rest after so many openings in a row.
func (c BreakerConfig) rest(opens int) time.Duration {
	doubled := float64(c.Rest) * float64(int64(1)<<min(max(opens-1, 0), 30))
	return time.Duration(min(doubled, float64(c.MostRest)))
}

// leased has the caller check the provider, if it is time to.
func (e breakerEntry) leased(now time.Time, lease time.Duration) (next breakerEntry, mine bool) {
	if e.State != BreakerOpen || now.Before(orNoMilli(e.Next)) && !ahead(orNoMilli(e.Since), now) {
		return e, false
	}
	e = e.next(BreakerOpen, now)
	e.Next = ceilMilli(now.Add(lease))
	return e, true
}

// checked takes over the result of a check.
func (e breakerEntry) checked(now time.Time, cause Cause, reason string, cfg BreakerConfig) breakerEntry {
	switch {
	case e.State != BreakerOpen:
		return e
	case cause != "":
		if cause == CauseOutage && e.Cause != CauseOutage {
			// It could not be asked. What money or the key was the reason of, is still.
			cause, reason = e.Cause, e.Reason
		}
		return e.rests(now, cause, reason, cfg)
	default:
		return e.next(BreakerHalfOpen, now)
	}
}

// closed closes a half-open breaker, if the call began since it was.
func (e breakerEntry) closed(began, now time.Time) breakerEntry {
	if e.State != BreakerHalfOpen || e.oldNews(began, now) {
		return e
	}
	return e.next(BreakerClosed, now)
}
