package queue

// Lane is one of the two ways work goes through the queue.
type Lane string

// The lanes. Refreshes overtake batches.
const (
	LaneBatch   Lane = "batch"
	LaneRefresh Lane = "refresh"

	// LaneDead is no lane of work: what was given up goes through it.
	LaneDead Lane = "dead"
)
