// Package access knows what callers of the web server may reach and have already done:
// the zones of users and filter rules, the tokens that QStash has used, and the
// triggers that were answered.
package access

import (
	"gorgone/store"
	"gorgone/store/postgres"
)

// Store reads and records what callers may do. It is safe for concurrent use.
type Store struct {
	db    *postgres.DB
	clock store.Clock
}

// New returns a Store on db.
func New(db *postgres.DB, clock store.Clock) *Store { return &Store{db: db, clock: clock} }
