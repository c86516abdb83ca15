package store

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Hold is the wish of one worker to be the one that looks a batch up.
type Hold struct {
	ClaimID uuid.UUID
	Holder  uuid.UUID     // who wishes it; another for each delivery of the batch
	Rows    []uuid.UUID   // of the batch
	For     time.Duration // real time from now during which nobody may take the batch over; 0: none
}

// Holding is how a batch is held.
type Holding struct {
	Mine  bool      // the holder may look the rows up
	Until time.Time // engine time before which the batch cannot be taken over; may be zero
	Rows  []Held    // those that the claim still holds, whoever its holder is
}

const (
	// mayHold: nobody else holds the batch, or $4 allows it to be taken over from one
	// whose time is up.
	mayHold = `(holder is null or holder = $2::uuid or ($4::bool and held_until <= $5::timestamptz))`

	updateHolder = `
		update gorgone.batches set
			holder     = case when ` + mayHold + ` then $2::uuid else holder end,
			held_until = case when ` + mayHold + ` then $3::timestamptz else held_until end
		where claim_id = $1::uuid
		returning holder = $2::uuid, held_until`
)

// TakeOver lets a worker to whom a batch was delivered again hold it, unless
// another's hold has not ended: see [Store.Keep]. From then on the other may begin no
// call that he is not sure of; what he has paid for he may still apply.
func (s *Store) TakeOver(ctx context.Context, h Hold) (Holding, error) {
	return s.hold(ctx, "take a batch over", h, true)
}

// Keep lets a worker go on holding a batch, unless another has taken it over.
// Nobody else takes it over before h.For has passed.
func (s *Store) Keep(ctx context.Context, h Hold) (Holding, error) {
	return s.hold(ctx, "keep a batch", h, false)
}

func (s *Store) hold(ctx context.Context, doing string, h Hold, take bool) (Holding, error) {
	var holding Holding
	err := s.db.transact(ctx, doing, func(ctx context.Context, t *tx) error {
		// A batch without a record has no rows left.
		holding = Holding{Mine: true}
		now := s.clock.Now()
		b := t.group()
		b.Queue(updateHolder, h.ClaimID, h.Holder, now.Add(s.clock.Engine(h.For)), take, now).Query(func(rows pgx.Rows) error {
			_, err := pgx.ForEachRow(rows, []any{&holding.Mine, &holding.Until}, func() error { return nil })
			return err
		})
		b.Queue(selectHeld, h.Rows, h.ClaimID).Query(collect(&holding.Rows, scanHeld))
		return t.send(ctx, b)
	})
	if err != nil {
		return Holding{}, err
	}
	return holding, nil
}
