package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// DueFilter selects rows to be made due. The zero value is every live row.
type DueFilter struct {
	Zone        uuid.UUID // zero: all zones
	TweetIDs    []string  // empty: all tweets
	IncludeCold bool      // also tweets that are not looked at any more
}

// ForceDue makes rows due now and lifts their back-off. It returns how many. A
// row that is claimed stays claimed: its batch answers it. Rows are written in
// chunks, each a transaction of its own.
func (s *Store) ForceDue(ctx context.Context, filter DueFilter) (int, error) {
	return 0, errors.ErrUnsupported
}
