package store

import (
	"context"
	"errors"
	"time"
)

// PruneBatches deletes the records of batches that were done, or whose lease
// ended, before the given engine time. It returns how many.
func (s *Store) PruneBatches(ctx context.Context, before time.Time) (int, error) {
	return 0, errors.ErrUnsupported
}

// EnsurePartitions makes sure that history has a partition for every day (UTC)
// from the day of from to the day of to, both included, and returns how many it
// made. On a database whose history is not partitioned it does nothing. Several
// callers at once are safe. Snapshots of days without a partition are kept in a
// default partition, from which they are moved when theirs is made.
func (s *Store) EnsurePartitions(ctx context.Context, from, to time.Time) (int, error) {
	return 0, errors.ErrUnsupported
}
