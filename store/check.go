package store

import (
	"context"
	"errors"
)

// Finding is the result of one check of the database.
type Finding struct {
	Check  string // what was checked
	OK     bool
	Detail string // what was found
	Fix    string // what to do about it; empty when OK
}

// Check looks for what would make the engine fail or, worse, silently do
// nothing: missing migrations, tables or columns, rows hidden by row-level
// security, missing rights, broken indexes. The error is for checks that could
// not be made.
func (s *Store) Check(ctx context.Context) ([]Finding, error) {
	return nil, errors.ErrUnsupported
}
