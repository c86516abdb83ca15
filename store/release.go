package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Held returns those of rows that the claim still holds. Rows that were claimed
// anew after the lease ended, refreshed in between or deleted are not among
// them. It is a look without a lock, to save a paid call; [Store.Apply] checks
// again.
func (s *Store) Held(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]uuid.UUID, error) {
	return nil, errors.ErrUnsupported
}

// Release gives rows back that were claimed and not looked up: they can be
// claimed again at once. Rows that the claim no longer holds are left alone.
func (s *Store) Release(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) error {
	return errors.ErrUnsupported
}
