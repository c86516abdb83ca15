package history

import (
	"sync/atomic"

	"gorgone/store"
	"gorgone/store/postgres"
)

// Archive reads the history of tweets and keeps it in order: its partitions, and how
// much of it is kept. It is safe for concurrent use.
type Archive struct {
	db    *postgres.DB
	clock store.Clock

	// cutUntil is the time, in Unix seconds, from before which this process has found nothing
	// left in the month that retention ends in.
	cutUntil atomic.Int64
}

// New returns the history in a database.
func New(db *postgres.DB, clock store.Clock) *Archive { return &Archive{db: db, clock: clock} }
