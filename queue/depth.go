package queue

import "context"

// LaneDepth is what is in one lane.
type LaneDepth struct {
	Pending     int // waiting for a worker
	AckPending  int // with a worker
	Redelivered int // of those, delivered more than once
	Waiting     int // workers that ask for work
}

// Depth is what is in the queue.
type Depth struct {
	Batch       LaneDepth
	Refresh     LaneDepth
	DeadLetters int
}

// Depth asks the server what is in the queue.
func (q *Queue) Depth(ctx context.Context) (Depth, error) { return Depth{}, errNotBuilt }
