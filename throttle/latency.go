package throttle

import "time"

// On a cluster of NATS servers a write waits for a majority of them, and for the writes of
// other replicas. A slot whose reservation is answered too late is lost, so a reservation
// begins as much before its slot as it takes.

// latency estimates a duration as TCP estimates a round trip (RFC 6298). The zero value
// knows nothing yet.
type latency struct{ mean, deviation time.Duration }

func (e latency) observe(took time.Duration) latency {
	if e.mean == 0 {
		return latency{mean: took, deviation: took / 2}
	}
	e.deviation += ((took - e.mean).Abs() - e.deviation) / 4
	e.mean += (took - e.mean) / 8
	return e
}

// bound is what few durations exceed, and at most limit. It is the limit when nothing is
// known.
func (e latency) bound(limit time.Duration) time.Duration {
	if e.mean == 0 {
		return limit
	}
	return min(e.mean+2*e.deviation, limit)
}

// takes returns how long it takes to read the shared state, up to maxAhead, and to write it, up
// to maxWritten; maxAhead where it is not known yet.
func (s *sharedState) takes() (read, write time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writes == (latency{}) {
		return s.reads.bound(maxAhead), maxAhead
	}
	return s.reads.bound(maxAhead), s.writes.bound(maxWritten)
}

// took notes how long a read or a write took.
func (s *sharedState) took(e *latency, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*e = e.observe(d)
}
