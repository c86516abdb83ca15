package fakeprovider

import (
	"math"
	"sync"
	"time"
)

// maxRate bounds the rate limit, in calls a second.
const maxRate = 100_000

// limiter allows a number of calls in any stretch of time as long as its window.
// Refused calls do not count.
type limiter struct {
	mu     sync.Mutex
	most   int           // calls in a window; 0: no limit
	window time.Duration // a second, or the time between two calls when that is longer
	taken  []time.Time   // a ring of the last calls allowed
	oldest int
}

// set changes the limit, and forgets what was taken.
func (l *limiter) set(rate float64, burst int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken, l.oldest = nil, 0
	l.window = time.Second
	switch {
	case rate <= 0:
		l.most = 0
		return
	case rate < 1:
		l.most = 1
		l.window = time.Duration(float64(time.Second) / rate)
	default:
		l.most = int(math.Ceil(rate))
	}
	l.most += burst
}

// allowance is where a limiter stands.
type allowance struct {
	allowed   bool
	most      int
	remaining int
	window    time.Duration
	until     time.Duration // until the next call is allowed; 0 when one is
}

// take asks for one call at now.
func (l *limiter) take(now time.Time) allowance {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := allowance{allowed: true, most: l.most, window: l.window}
	if l.most == 0 {
		return a
	}
	if len(l.taken) < l.most {
		l.taken = append(l.taken, now)
	} else if age := now.Sub(l.taken[l.oldest]); age < l.window {
		a.allowed, a.until = false, l.window-age
		return a
	} else {
		l.taken[l.oldest] = now
		l.oldest = (l.oldest + 1) % len(l.taken)
	}
	a.remaining = l.most
	for _, t := range l.taken {
		if now.Sub(t) < l.window {
			a.remaining--
		}
	}
	return a
}
