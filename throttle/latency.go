package throttle

import "time"

// On a cluster of NATS servers a write waits for a majority of them, and for the writes of
// other replicas. A slot whose reservation is answered too late is lost, so a reservation
// begins long enough before its slot. How long writes take is part of the shared state: a
// replica that has not written yet knows it too, and none has an advantage of believing that
// its own take longer.

const (
	// defaultWrite is how long a write is taken to take until one was made.
	defaultWrite = 10 * time.Millisecond

	// writeForgotten is how long after a write the next one tells how long it took.
	writeForgotten = 10 * time.Second
)

// latency estimates a duration much as TCP estimates a round trip (RFC 6298). It falls faster
// than it rises, and what is faster than the mean adds nothing to the deviation: after a few
// slow writes few are made, and all of them must not be late for long. The zero value knows
// nothing yet.
type latency struct{ mean, deviation time.Duration }

func (e latency) observe(took time.Duration) latency {
	if e.mean == 0 {
		return latency{mean: took, deviation: took / 2}
	}
	e.deviation += (max(took-e.mean, 0) - e.deviation) / 4
	if took < e.mean {
		e.mean += (took - e.mean) / 3
	} else {
		e.mean += (took - e.mean) / 8
	}
	return e
}

// bound is what few durations exceed, and at most maxWritten; defaultWrite when nothing is
// known.
func (e latency) bound() time.Duration {
	if e.mean == 0 {
		return defaultWrite
	}
	return min(e.mean+2*e.deviation, maxWritten)
}

// lastWrite is how long the last write of a replica took, which its next one tells the others.
type lastWrite struct {
	took time.Duration
	at   time.Time
}

// addTo adds the last write to the estimate, unless it was long ago.
func (w lastWrite) addTo(e latency) latency {
	if w.took == 0 || time.Since(w.at) > writeForgotten {
		return e
	}
	return e.observe(w.took)
}
