package queue

import (
	"context"
	"time"
)

// Config says how the queue is set up. The zero value is a good default.
type Config struct {
	Prefix          string        // of all names; capital letters, digits, - and _. Defaults to ENG
	Lease           time.Duration // how long a claim holds; the age at which batches are dropped. 0: what the stream says, or 3 min for a new one
	AdoptLease      bool          // change the lease of an existing stream instead of failing with ErrLeaseDiffers
	Replicas        int           // 1, 3 or 5. Defaults to 1
	Memory          bool          // keep everything in memory instead of in files
	MaxBatches      int           // most batch messages at once. Defaults to 20,000
	DuplicateWindow time.Duration // in which a batch is published once only. Defaults to 2 min, or the lease if that is shorter
	AckWait         time.Duration // after which an unanswered batch is delivered again. Defaults to 30 s
	RefreshAge      time.Duration // after which a refresh nobody took is dropped. Defaults to 60 s
	RefreshAckWait  time.Duration // after which an unanswered refresh is delivered again. Defaults to 10 s
}

// LeaseError is returned by [Open] when the lease that was set is not the one
// that the other processes on this queue go by.
type LeaseError struct {
	Stream string        // name of the batch stream
	Want   time.Duration // what the configuration says
	Have   time.Duration // what the stream says
}

func (e *LeaseError) Error() string { return "" }

// Queue is an open queue. It is safe for concurrent use.
type Queue struct{}

// Open creates the streams and consumers of the queue, or brings them up to the
// configuration. Any number of processes may do so at once.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Queue, error) { return nil, errNotBuilt }

// Lease is how long a claim holds. All processes on the queue go by the same.
func (q *Queue) Lease() time.Duration { return 0 }

// AckWait is how long a delivered batch may go without an answer or a
// [Delivery.InProgress] before it is delivered again.
func (q *Queue) AckWait() time.Duration { return 0 }
