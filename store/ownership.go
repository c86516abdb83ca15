package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// OwnershipRequest asks for the ownership of a batch, for the worker that handles one
// delivery of it.
type OwnershipRequest struct {
	ClaimID uuid.UUID
	Owner   uuid.UUID     // of the delivery: a redelivered batch has another
	Rows    []uuid.UUID   // of the batch
	For     time.Duration // real time from now during which no other owner may acquire it; 0: none
}

// Ownership is the state of a batch's ownership after a request.
type Ownership struct {
	Owned bool      // the requester owns the batch, and may look its rows up
	Until time.Time // engine time before which no other owner can acquire it; may be zero
	Rows  []Held    // rows that the claim still holds, whoever owns the batch
}

const (
	// mayOwn: the batch has no other owner, or $4 allows it to be acquired from one whose
	// time is up.
	mayOwn = `(holder is null or holder = $2::uuid or ($4::bool and held_until <= $5::timestamptz))`

	updateOwner = `
		update gorgone.batches set
			holder     = case when ` + mayOwn + ` then $2::uuid else holder end,
			held_until = case when ` + mayOwn + ` then $3::timestamptz else held_until end
		where claim_id = $1::uuid
		returning holder = $2::uuid, held_until`
)

// AcquireBatch makes the worker that was handed a redelivered batch its owner, unless
// the time of another owner has not ended: see [Store.ExtendBatch]. From then on the
// former owner must begin no call without checking; answers that it has paid for can
// still be applied.
func (s *Store) AcquireBatch(ctx context.Context, h OwnershipRequest) (Ownership, error) {
	return s.own(ctx, "take a batch over", h, true)
}

// ExtendBatch extends the ownership of a batch by h.For, during which no other worker
// can acquire it, unless another has acquired it already.
func (s *Store) ExtendBatch(ctx context.Context, h OwnershipRequest) (Ownership, error) {
	return s.own(ctx, "keep a batch", h, false)
}

func (s *Store) own(ctx context.Context, doing string, h OwnershipRequest, acquire bool) (Ownership, error) {
	var ownership Ownership
	err := s.db.Transact(ctx, doing, func(ctx context.Context, t *postgres.Tx) error {
		// A batch without a record has no rows left.
		ownership = Ownership{Owned: true}
		now := s.clock.Now()
		b := t.Group()
		b.Queue(updateOwner, h.ClaimID, h.Owner, now.Add(s.clock.Engine(h.For)), acquire, now).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&ownership.Owned, &ownership.Until}, func() error { return nil })
			return err
		})
		b.Queue(selectHeld, h.Rows, h.ClaimID).Query(postgres.Collect(&ownership.Rows, scanHeld))
		return t.Send(ctx, b)
	})
	if err != nil {
		return Ownership{}, err
	}
	return ownership, nil
}
