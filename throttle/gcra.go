package throttle

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"gorgone/queue"
)

// The rate limiter is a generic cell rate algorithm (GCRA; ITU-T I.371, 1993): replicas
// share the time from which the next call is free, not a count of tokens. There are two
// such times, one for all calls and one for batch calls alone, so that batches leave a
// share of the rate to refreshes. This file is the arithmetic; reserve.go shares the
// state.
//
// Why no window of a second ever holds more than Rate calls: every call has a slot of
// its own; slots are an interval of 1 / (Rate * (1 - Margin)) apart; a call starts at
// its slot or up to grace later. So Rate+1 calls take at least
// Rate * interval - grace = 1 s + slack - grace, and grace is less than slack.

const (
	// minRun is how much of the rate one reservation takes where writes are fast: at most
	// 20 reservations a second for each busy class, whatever the rate.
	minRun = 50 * time.Millisecond

	// Where writes are slow, a reservation takes runPerWrite as much of the rate as a write
	// takes, up to maxSlow. So the next one is written before its slots begin, although one
	// write follows the other.
	runPerWrite = 3

	// A batch call is reserved aheadPerWrite as long before its slot as a write takes, up to
	// maxSlow: replicas that compete try a little later; see contention.go.
	aheadPerWrite = 3

	// maxSlow bounds all that grows with how long a write takes: a refresh waits for it. It is
	// one bound: a write that is taken to last longer than slots are reserved ahead would leave
	// a gap before each run.
	maxSlow = 250 * time.Millisecond

	// maxWritten is how long the write may last that reserves the one call after a pause.
	maxWritten = time.Second

	// refreshLead is how much earlier than a batch call a refresh may reserve its slot, so
	// that refreshes go first.
	refreshLead = 50 * time.Millisecond

	// reach is how far ahead of now the last slot of a reservation can be.
	reach = maxWritten + refreshLead

	// maxGrace caps how late a call may start when the margin would allow more.
	maxGrace = 50 * time.Millisecond

	// skewIntervals is how many intervals beyond maxClockSkew a reservation may
	// plausibly lie in the future.
	skewIntervals = 10
)

// limiterState is the state that replicas share.
type limiterState struct {
	All    time.Time // when the next call is free
	Batch  time.Time // when the next batch call is free, if All allows it too
	Factor float64   // the rate in force as a part of the configured rate, in (0,1]; see aimd.go
	At     time.Time // when the state was written; zero: by a version that did not record it
	Writes latency   // how long it takes to write the state

	recovery
}

// limits are the durations and counts that follow from a [LimiterConfig].
type limits struct {
	interval      time.Duration // between two calls
	batchInterval time.Duration // between two batch calls, in the long run
	runTime       time.Duration // how much of the rate one reservation takes: minRun, or more while writes are slow
	grace         time.Duration // how long after its slot a call may start
	credit        time.Duration // how far in the past a reservation may begin, so that asking late costs no slot
	streak        int           // calls without a refusal after which the rate in force rises
	probe         time.Duration // how long the probe after a pause may take
	ahead         time.Duration // how long before its slot a batch call reserves it, up to maxSlow
	written       time.Duration // how long it takes until a reservation is written, up to maxWritten
}

func newLimits(rate, reserve, margin float64) limits {
	seconds := func(s float64) time.Duration { return time.Duration(math.Ceil(s * float64(time.Second))) }
	interval := 1 / (rate * (1 - margin))
	slack := max(1, 1/rate) * margin / (1 - margin)
	l := limits{
		interval:      seconds(interval),
		batchInterval: seconds(interval / (1 - reserve)),
		// A third of the slack is left for the network path to the provider and for
		// the difference between the replicas' clocks.
		grace: min(seconds(slack*2/3), max(maxGrace, seconds(interval))),
	}
	l.runTime = minRun
	l.credit = l.grace / 2
	l.streak = max(minStreak, int(math.Ceil(rate*streakTime.Seconds())))
	l.probe = defaultProbeTime
	return l
}

// scaled stretches the intervals for a part of the configured rate.
func (l limits) scaled(factor float64) limits {
	l.interval = time.Duration(float64(l.interval) / factor)
	l.batchInterval = time.Duration(float64(l.batchInterval) / factor)
	return l
}

// writtenIn adapts the limits to how long a write takes.
func (l limits) writtenIn(write time.Duration) limits {
	l.written = min(write, maxWritten)
	l.ahead = min(aheadPerWrite*write, maxSlow)
	l.runTime = min(max(minRun, runPerWrite*write), maxSlow)
	return l
}

// run returns the maximum number of calls in one reservation.
func (l limits) run() int { return max(1, int(l.runTime/l.interval)) }

// initial returns the state to start from when the last reservations are unknown: calls
// start once every slot that may still be reserved has passed.
func (l limits) initial(now time.Time) limiterState {
	free := now.Add(reach + l.interval)
	return limiterState{All: free, Batch: free, Factor: 1, At: now}
}

// lead returns how long before a slot the class may reserve it. A refresh waits for at most
// what batches reserve ahead and one run of theirs.
func (l limits) lead(class queue.Class) time.Duration {
	if class == queue.ClassRefresh {
		return l.ahead + refreshLead
	}
	return l.ahead
}

// earliest returns when the class may make its next reservation.
func (l limits) earliest(s limiterState, class queue.Class) time.Time {
	free := s.All
	if class == queue.ClassBatch && s.Batch.After(free) {
		free = s.Batch
	}
	return later(later(free.Add(-l.lead(class)), s.HoldUntil), s.ProbeUntil)
}

// reserve takes up to want slots, and at most one run: n slots from first, an interval
// apart. now must not be before earliest.
func (l limits) reserve(s limiterState, class queue.Class, now time.Time, want int) (next limiterState, first time.Time, n int) {
	n = min(want, l.run())
	oldest := later(now.Add(-l.credit), s.HoldUntil)
	// What begins earlier is too late already when the reservation is written: with slow writes
	// the one call after a pause would be lost again and again.
	written := l.written
	if s.HoldUntil.IsZero() {
		written = min(written, maxSlow)
	}
	oldest = later(oldest, now.Add(written-l.grace))
	first = later(s.All, oldest)
	next = s
	next.At = now
	if !s.HoldUntil.IsZero() {
		n = 1
		next.ProbeUntil = first.Add(l.probe)
	}
	next.All = first.Add(time.Duration(n) * l.interval)
	if class == queue.ClassBatch {
		next.Batch = later(s.Batch, oldest).Add(time.Duration(n) * l.batchInterval)
	}
	return next.countClean(n, l), first, n
}

// plausible reports whether a replica with a correct clock can have written the state.
func (l limits) plausible(s limiterState, now time.Time) bool {
	slowest := l.scaled(s.Factor * l.rampFloor())
	limit := now.Add(maxClockSkew + reach + skewIntervals*slowest.batchInterval)
	return !s.All.After(limit) && !s.Batch.After(limit) && !fromFuture(s.At, now)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// limiterEntry is how the state is stored.
type limiterEntry struct {
	V      int     `json:"v"`
	All    int64   `json:"all_us"`
	Batch  int64   `json:"batch_us"`
	Factor float64 `json:"factor"`
	At     int64   `json:"at_us,omitempty"`

	Write     int64 `json:"write_us,omitempty"`
	Deviation int64 `json:"write_deviation_us,omitempty"`

	HoldUntil  int64 `json:"hold_us,omitempty"`
	ProbeUntil int64 `json:"probe_us,omitempty"`
	Resumed    int64 `json:"resumed_us,omitempty"`
	Episode    int64 `json:"episode,omitempty"`
	Clean      int   `json:"clean,omitempty"`
}

func (s limiterState) encode() []byte {
	body, err := json.Marshal(limiterEntry{
		V: stateVersion, All: ceilMicro(s.All), Batch: ceilMicro(s.Batch), Factor: s.Factor, At: toMicro(s.At),
		Write: s.Writes.mean.Microseconds(), Deviation: s.Writes.deviation.Microseconds(),
		HoldUntil: toMicro(s.HoldUntil), ProbeUntil: toMicro(s.ProbeUntil), Resumed: toMicro(s.Resumed), Episode: s.Episode, Clean: s.Clean,
	})
	if err != nil {
		panic(err) // numbers only; the factor is finite
	}
	return body
}

func decodeLimiterState(body []byte) (limiterState, error) {
	var e limiterEntry
	if err := decodeVersioned(body, &e.V, &e); err != nil {
		return limiterState{}, fmt.Errorf("decode the shared rate limiter: %w", err)
	}
	if !(e.Factor > 0 && e.Factor <= 1) {
		return limiterState{}, fmt.Errorf("decode the shared rate limiter: factor %v is not in (0,1]", e.Factor)
	}
	return limiterState{
		All: time.UnixMicro(e.All).UTC(), Batch: time.UnixMicro(e.Batch).UTC(), Factor: e.Factor, At: fromMicro(e.At),
		Writes: latency{mean: fromMicros(e.Write), deviation: fromMicros(e.Deviation)},
		recovery: recovery{
			HoldUntil: fromMicro(e.HoldUntil), ProbeUntil: fromMicro(e.ProbeUntil), Resumed: fromMicro(e.Resumed),
			Episode: e.Episode, Clean: e.Clean,
		},
	}, nil
}
