package lookup

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

const (
	// defaultMaxCalls is how many batch calls a replica makes at once at most: 200 calls
	// a second of a provider that takes more than a second.
	defaultMaxCalls = 256

	// leastCalls are always allowed at once: what a rate cannot be measured below.
	leastCalls = 16

	// headroom is how many more calls than the known rate needs are allowed, because some
	// take longer than others, and growth how many times what the measured rate needs.
	headroom = 1.25
	growth   = 2

	// latencyWeight is the weight of one call in the smoothed latency.
	latencyWeight = 0.1

	// leastSpan is the shortest time in which calls are counted, and rateHalfLife after
	// how long a rate that was reached once counts half.
	leastSpan    = 100 * time.Millisecond
	rateHalfLife = 30 * time.Second
)

// parallelism bounds how many batch calls of this replica are under way at one provider,
// or wait for their slot of the shared rate. By Little's law a rate is reached with rate
// x latency calls under way: 4 at 200 calls a second of 20 ms, 160 at 800 ms. More would
// only hold batches back from other replicas, and be paid for in vain when this one dies.
// The rate is the provider's, or twice what is measured when that is less: where
// something else is the bottleneck, calls do not pile up in front of it.
//
// It is safe for concurrent use.
type parallelism struct {
	most int     // bound
	rate float64 // calls per second that all replicas may make; 0: unknown

	mu      sync.Mutex
	calls   int             // that hold a place
	waiting []chan struct{} // callers without a place, in order

	latency  float64 // smoothed, in seconds; 0: none was measured
	reached  float64 // calls per second, the highest of late
	counted  int     // calls since
	since    time.Time
	lastPeak time.Time // when reached was measured
}

// limit returns how many calls may be under way.
func (p *parallelism) limit() int {
	needed := growth * p.reached * p.latency
	if p.rate > 0 {
		needed = min(needed, headroom*p.rate*p.latency)
	}
	return min(leastCalls+int(math.Ceil(needed)), p.most)
}

// acquire waits until a call may be made, in the order of the callers. The error is the
// cause of the end of ctx.
func (p *parallelism) acquire(ctx context.Context) error {
	p.mu.Lock()
	if len(p.waiting) == 0 && p.calls < p.limit() {
		p.calls++
		p.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiting, turn); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	} else { // it came meanwhile
		p.calls--
		p.admit()
	}
	return context.Cause(ctx)
}

// release gives back what acquire got. took is how long the call took; 0: none was made.
func (p *parallelism) release(now time.Time, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls--
	if took > 0 {
		p.measure(now, took)
	}
	p.admit()
}

// admit gives free places to those who wait for one.
func (p *parallelism) admit() {
	for len(p.waiting) > 0 && p.calls < p.limit() {
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
		p.calls++
	}
}

func (p *parallelism) measure(now time.Time, took time.Duration) {
	if p.latency == 0 {
		p.latency = took.Seconds()
		p.since = now.Add(-took)
		p.lastPeak = now
	}
	p.latency += latencyWeight * (took.Seconds() - p.latency)
	p.counted++
	span := now.Sub(p.since)
	if span < max(leastSpan, time.Duration(p.latency*float64(time.Second))) {
		return
	}
	rate := float64(p.counted) / span.Seconds()
	p.counted, p.since = 0, now
	faded := p.reached * math.Exp2(-now.Sub(p.lastPeak).Seconds()/rateHalfLife.Seconds())
	p.reached, p.lastPeak = max(rate, faded), now
}
