package queue

import (
	"context"
	"errors"
	"time"
)

// ErrPaceDeadline is returned by [PaceLane.Wait] when the context ends before the
// call may start. It comes as soon as that is known, and also matches
// [context.DeadlineExceeded].
var ErrPaceDeadline = errors.New("the shared pace allows no call before the deadline")

// PausedError is returned by [PaceLane.Wait] when calls are paused beyond the
// end of the context. It matches [context.DeadlineExceeded].
type PausedError struct {
	Until  time.Time
	Reason string
}

func (e *PausedError) Error() string { return "" }

// Clock tells the time that all replicas share.
type Clock interface{ Database() time.Time }

// PaceConfig says how fast calls may go.
type PaceConfig struct {
	Key            string         // names the API key whose limit it is: a hash, never the key itself
	Rate           float64        // calls a second over all replicas; 0: unlimited
	RefreshReserve float64        // share of the rate that batches leave to refreshes. Defaults to 0.1; -1: none
	Margin         float64        // share of the rate that is left unused, for jitter on the way. Defaults to 0.03
	Random         func() float64 // in [0,1); defaults to math/rand/v2
	OnGrant        func(Grant)    // told of every granted call; may be nil
}

// Grant is one call that was allowed to start.
type Grant struct {
	Lane Lane
	Slot time.Time // the time reserved for it
	At   time.Time // when it was let go, by the shared clock: at or shortly after Slot
}

// Pace is the pace of calls that all replicas share, and the pause that stops
// them all.
type Pace struct{}

// NewPace joins the shared pace of the key.
func NewPace(ctx context.Context, q *Queue, cfg PaceConfig, clock Clock) (*Pace, error) {
	return nil, errNotBuilt
}

// Close leaves the pace and waits until that is done.
func (p *Pace) Close() {}

// Lane returns the pace as the given lane sees it.
func (p *Pace) Lane(l Lane) *PaceLane { return nil }

// PaceLane is the pace of one lane.
type PaceLane struct{}

// Wait returns nil when a call may start now.
func (l *PaceLane) Wait(ctx context.Context) error { return errNotBuilt }
