package lookup

import (
	"time"

	"gorgone/queue"
)

// LeaseMargin is what must be left of a batch's lease after a call, for writing.
const LeaseMargin = 10 * time.Second

// MinLease is the shortest lease that leaves a batch time for its calls: half of it at
// least, when a call may take the given time.
func MinLease(callTimeout time.Duration) time.Duration { return 2 * (callTimeout + LeaseMargin) }

// terms are how calls are made for a priority class.
type terms struct {
	// leaseMargin: time for the call and for writing must be left when a call begins.
	// Otherwise it may begin up to the end.
	leaseMargin bool

	// maxPause is the longest pause that is waited through; 0: as long as an answer is
	// of use. A batch waits out a short one only: its claim is released for a longer one,
	// so that the backlog stands in Postgres, where it is visible and ordered.
	maxPause time.Duration

	// wait: a rate limit is waited out. Otherwise it ends the look-up, because the
	// true reason now is worth more to the caller than numbers after the pause.
	wait bool

	// confirm: what an answer lacks and proves nothing is asked for again, beside a
	// canary. Asking every lone tweet beside one at once would double the price of most
	// refreshes, whose tweet exists.
	confirm bool

	retryBase, retryCeiling time.Duration
}

func termsOf(class queue.Class) terms {
	if class == queue.ClassRefresh { // a caller waits
		return terms{confirm: true, retryBase: 100 * time.Millisecond, retryCeiling: time.Second}
	}
	return terms{leaseMargin: true, maxPause: 10 * time.Second, wait: true, retryBase: 500 * time.Millisecond, retryCeiling: 10 * time.Second}
}

// left is the real time in which a call must begin.
func (c *Client) left(r Request) time.Duration {
	left := c.parts.Clock.Real(r.Until.Sub(c.parts.Clock.Now()))
	if termsOf(r.Class).leaseMargin {
		left -= c.cfg.CallTimeout + LeaseMargin
	}
	return left
}
