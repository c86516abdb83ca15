package store

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// Work is the answer to a batch, or to a part of it.
type Work struct {
	ClaimID uuid.UUID
	Results []Result
}

// Result is the answer about one tweet.
type Result struct {
	TweetID     string
	Rows        []uuid.UUID
	Kind        Kind
	Observation engagement.Observation // for Found
	Reason      string                 // for Missing and Unresolved; may be empty
}

// Apply writes the results of a batch in one transaction, and clears its claim.
// A row is written only while the claim is still the batch's own, so that
// applying the same work twice, or after the lease has ended and another worker
// has taken over, changes nothing the second time. Rows are independent: one
// with counts out of range, lost or deleted is reported in Applied, and the rest
// is written.
//
// A batch may be applied in parts. Deadlocks and serialization failures are tried
// again a few times. An error means that nothing was written, unless the
// connection broke during the commit; calling again is safe either way.
func (s *Store) Apply(ctx context.Context, work Work) (Applied, error) {
	return Applied{}, errors.ErrUnsupported
}
