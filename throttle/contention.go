package throttle

import "time"

// Replicas that wait for the same moment try at random times within a window after it, and
// those whose try another one preceded wait for the next run. Each finds its own window, as
// stations on a radio channel do: it doubles after a try in vain, and shrinks a little with
// each run that any replica reserves, down to the time that a write takes. So some few of many
// compete for a run, however many they are, one of them soon, and all have their turn.
const (
	maxWindow        = 16.0 // times as long as a write takes: for a hundred replicas
	maxRefreshWindow = 8 * time.Millisecond
	windowLeft       = 0.9 // of the window, after each run
)

// contention is how a class of one replica competes with other replicas. The zero value knows
// of none.
type contention struct {
	window float64 // as a multiple of the time that a write takes; less than 1 counts as 1
	seen   uint64  // the newest revision that was taken into account
}

// delay returns how long after the moment to try; write is how long a write takes, and random
// uniform in [0,1).
func (c *contention) delay(write time.Duration, random float64) time.Duration {
	return time.Duration(random * max(c.window, 1) * float64(write))
}

// observed takes into account that the shared state has the revision.
func (c *contention) observed(revision uint64) {
	if revision != c.seen {
		c.seen = revision
		c.window = max(c.window*windowLeft, 1)
	}
}

// collided takes into account that another replica preceded this one.
func (c *contention) collided() { c.window = min(2*max(c.window, 1), maxWindow) }
