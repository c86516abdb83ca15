package report

import (
	"context"
	"fmt"

	"gorgone/store"
	"gorgone/store/postgres"
)

// Reader reads what the dashboard, the API and the command line show. It locks
// nothing and is safe for concurrent use.
//
// Reads that may look at many rows use at most three quarters of the connections of the
// process at once, and wait for each other: what looks at a few rows need not wait for them.
type Reader struct {
	db    *postgres.DB
	clock store.Clock
	turns chan struct{} // taken by reads of many rows: more than one user may have, fewer than there are connections

	manyRows int64 // above which a table is large; smallTable but in tests
	walkRows int   // that are looked at for a page, by an index; walkRows but in tests
}

// New returns a reader of a database.
func New(db *postgres.DB, clock store.Clock) *Reader {
	return &Reader{db: db, clock: clock, turns: make(chan struct{}, max(db.PoolUse().Max*3/4, 1)), manyRows: smallTable, walkRows: walkRows}
}

// turn waits until a read of many rows may begin. Without an error, done must be called when
// it has ended.
func (r *Reader) turn(ctx context.Context) (done func(), err error) {
	select {
	case r.turns <- struct{}{}:
		return func() { <-r.turns }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other reads of many rows: %w", ctx.Err())
	}
}
