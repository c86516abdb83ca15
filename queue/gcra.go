package queue

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// The pace is a generic cell rate algorithm (GCRA; ITU-T I.371, 1993): what
// replicas share is the time from which the next call is free, not a count of
// tokens. There are two such times, for all calls and for batch calls alone, so
// that batches leave a share of the rate to refreshes. This file is the
// arithmetic; the entry that replicas share is in reserve.go.
//
// Why no window of a second ever holds more than Rate calls: every call has a
// slot of its own; slots are an interval of 1 / (Rate * (1 - Margin)) apart; a
// call starts at its slot or up to grace later. So Rate+1 calls take at least
// Rate * interval - grace = 1 s + slack - grace, and grace is less than slack.

const (
	// runTime is how much of the rate is reserved at once: at most 20
	// reservations a second for each lane that is busy, whatever the rate.
	runTime = 50 * time.Millisecond

	// maxGrace is how late a call may start at most, when the margin would allow more.
	maxGrace = 50 * time.Millisecond

	// farIntervals is how many intervals, in addition to farAhead, a reservation can
	// not rightly be in the future: a clock was wrong when it was written.
	farIntervals = 10
)

// paceState is the entry that replicas share.
type paceState struct {
	All    time.Time // from when on the next call is free
	Batch  time.Time // from when on the next batch call is, if All allows it too
	Factor float64   // part of the set rate in force, in (0,1]; see aimd.go
	At     time.Time // when this was written; zero: by a version that did not say

	recovery
}

// paceLimits are the numbers that follow from a [PaceConfig].
type paceLimits struct {
	interval      time.Duration // between two calls
	batchInterval time.Duration // between two batch calls, in the long run
	run           int           // most calls reserved at once
	grace         time.Duration // how long after its slot a call may start
	credit        time.Duration // how far back a reservation may begin, so that asking late costs no slot
	streak        int           // calls without a refusal after which the rate in force rises
	probe         time.Duration // how long the one call after a pause may take to be answered
}

func newPaceLimits(rate, reserve, margin float64) paceLimits {
	seconds := func(s float64) time.Duration { return time.Duration(math.Ceil(s * float64(time.Second))) }
	interval := 1 / (rate * (1 - margin))
	slack := max(1, 1/rate) * margin / (1 - margin)
	l := paceLimits{
		interval:      seconds(interval),
		batchInterval: seconds(interval / (1 - reserve)),
		// A third of the slack is left to the way from here to the provider and
		// to the difference between clocks.
		grace: min(seconds(slack*2/3), max(maxGrace, seconds(interval))),
	}
	l.run = max(1, int(runTime/l.interval))
	l.credit = l.grace / 2
	l.streak = max(leastStreak, int(math.Ceil(rate*streakTime.Seconds())))
	l.probe = defaultProbeTime
	return l
}

// at stretches the intervals by the factor in force.
func (l paceLimits) at(factor float64) paceLimits {
	l.interval = time.Duration(float64(l.interval) / factor)
	l.batchInterval = time.Duration(float64(l.batchInterval) / factor)
	return l
}

// runLength is how long the longest run takes.
func (l paceLimits) runLength() time.Duration { return time.Duration(l.run) * l.interval }

// fresh is the state when nobody knows what was reserved last: calls begin when
// whatever may be reserved has been used up.
func (l paceLimits) fresh(now time.Time) paceState {
	free := now.Add(l.ahead(LaneRefresh) + l.runLength())
	return paceState{All: free, Batch: free, Factor: 1, At: now}
}

// ahead is how long before a slot it may be reserved. Batches never reserve
// ahead, so a refresh waits for one run of theirs at most.
func (l paceLimits) ahead(lane Lane) time.Duration {
	if lane == LaneRefresh {
		return runTime
	}
	return 0
}

// earliest is when the lane may reserve.
func (l paceLimits) earliest(s paceState, lane Lane) time.Time {
	free := s.All
	if lane == LaneBatch && s.Batch.After(free) {
		free = s.Batch
	}
	return later(later(free.Add(-l.ahead(lane)), s.Hold), s.Probe)
}

// reserve takes the next slots, at most want and at most one run of them: n slots
// from first, an interval apart. Call it when now is not before earliest.
func (l paceLimits) reserve(s paceState, lane Lane, now time.Time, want int) (next paceState, first time.Time, n int) {
	n = min(want, l.run)
	oldest := later(now.Add(-l.credit), s.Hold)
	first = later(s.All, oldest)
	next = s
	next.At = now
	if !s.Hold.IsZero() {
		n = 1
		next.Probe = first.Add(l.probe)
	}
	next.All = first.Add(time.Duration(n) * l.interval)
	if lane == LaneBatch {
		next.Batch = later(s.Batch, oldest).Add(time.Duration(n) * l.batchInterval)
	}
	return next.clean(n, l), first, n
}

// plausible reports whether the state can have been written by a replica whose
// clock is right.
func (l paceLimits) plausible(s paceState, now time.Time) bool {
	slowest := l.at(s.Factor * l.rampFloor())
	limit := now.Add(farAhead + farIntervals*slowest.batchInterval*time.Duration(l.run))
	return !s.All.After(limit) && !s.Batch.After(limit) && !ahead(s.At, now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// paceEntry is how the state is stored: times in microseconds since 1970, which
// every JSON reader holds exactly.
type paceEntry struct {
	V      int     `json:"v"`
	All    int64   `json:"all_us"`
	Batch  int64   `json:"batch_us"`
	Factor float64 `json:"factor"`
	At     int64   `json:"at_us,omitempty"`

	Hold    int64 `json:"hold_us,omitempty"`
	Probe   int64 `json:"probe_us,omitempty"`
	Resumed int64 `json:"resumed_us,omitempty"`
	Episode int64 `json:"episode,omitempty"`
	Clean   int   `json:"clean,omitempty"`
}

func (s paceState) encode() []byte {
	// Rounded up: a slot must not move forward.
	body, err := json.Marshal(paceEntry{
		V: schemaVersion, All: ceilMicro(s.All), Batch: ceilMicro(s.Batch), Factor: s.Factor, At: orNoMicro(s.At),
		Hold: orNoMicro(s.Hold), Probe: orNoMicro(s.Probe), Resumed: orNoMicro(s.Resumed), Episode: s.Episode, Clean: s.Clean,
	})
	if err != nil {
		panic(err) // numbers only; the factor is finite
	}
	return body
}

func ceilMicro(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

func decodePaceState(body []byte) (paceState, error) {
	var e paceEntry
	if err := decodeVersioned(body, &e.V, &e); err != nil {
		return paceState{}, fmt.Errorf("decode the shared pace: %w", err)
	}
	if !(e.Factor > 0 && e.Factor <= 1) {
		return paceState{}, fmt.Errorf("decode the shared pace: factor %v is not in (0,1]", e.Factor)
	}
	return paceState{
		All: time.UnixMicro(e.All).UTC(), Batch: time.UnixMicro(e.Batch).UTC(), Factor: e.Factor, At: orNoTime(e.At),
		recovery: recovery{Hold: orNoTime(e.Hold), Probe: orNoTime(e.Probe), Resumed: orNoTime(e.Resumed), Episode: e.Episode, Clean: e.Clean},
	}, nil
}

// orNoMicro is ceilMicro, and 0 for no time.
func orNoMicro(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return ceilMicro(t)
}

func orNoTime(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
