package report

import (
	"gorgone/store"
	"gorgone/store/postgres"
)

// Reader reads what the dashboard, the API and the command line show. It locks
// nothing and is safe for concurrent use.
type Reader struct {
	db    *postgres.DB
	clock store.Clock

	manyRows int64 // above which a table is large; smallTable but in tests
}

// New returns a reader of a database.
func New(db *postgres.DB, clock store.Clock) *Reader {
	return &Reader{db: db, clock: clock, manyRows: smallTable}
}
