package queue

// Class is a priority class of work.
type Class string

// The classes. Refreshes overtake batches.
const (
	ClassBatch   Class = "batch"
	ClassRefresh Class = "refresh"

	// classDead names the stream of dead letters in errors and logs.
	classDead Class = "dead"

	// classKept names the stream of answers that could not be written.
	classKept Class = "kept"
)
