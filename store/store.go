package store

import (
	"context"
	"time"

	"gorgone/engagement"
)

// Clock tells engine time, the time that rows are written in.
type Clock interface {
	// Now returns engine time.
	Now() time.Time
	// Engine converts a real duration (a lease, a back-off) to engine time.
	Engine(d time.Duration) time.Duration
}

// Store reads and writes tracked tweets. It is safe for concurrent use.
type Store struct {
	db     *DB
	clock  Clock
	policy engagement.Policy
	random func() float64
	shape  shape

	minimums minimums
}

// New returns a store on db. The policy decides tier and next update of every
// row; random returns numbers in [0, 1) for the jitter of back-offs and must be
// safe for concurrent use.
func New(db *DB, clock Clock, policy engagement.Policy, random func() float64) *Store {
	return &Store{db: db, clock: clock, policy: policy, random: random}
}

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	return s.db.Ping(ctx)
}
