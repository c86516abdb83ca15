package queue

import (
	"context"
	"time"
)

// Pause stops all calls of all replicas until the given database time. A pause is
// only ever lengthened: an earlier time than the one that stands changes nothing.
func (p *Pace) Pause(ctx context.Context, until time.Time, reason string) error { return errNotBuilt }

// Paused reports whether calls are paused, until when, and why.
func (p *Pace) Paused() (until time.Time, reason string, paused bool) {
	return time.Time{}, "", false
}
