package store

import (
	"context"
	"errors"
	"time"

	"gorgone/engagement"
)

// RefreshResult is the answer to a refresh somebody asked for.
type RefreshResult struct {
	TweetID     string
	RequestedAt time.Time // engine time of the request
	Kind        Kind
	Observation engagement.Observation // for Found
	Reason      string                 // for Missing and Unresolved; may be empty
}

// ApplyRefresh writes refreshed counts to all rows of the tweets in active
// zones, live and cold. A row that was observed at or after RequestedAt is left
// and reported as it is. An observation that is written clears the row's claim,
// which drops the answer of a batch in flight; a miss is recorded and leaves the
// claim; an unresolved refresh writes nothing.
func (s *Store) ApplyRefresh(ctx context.Context, results []RefreshResult) (Applied, error) {
	return Applied{}, errors.ErrUnsupported
}
