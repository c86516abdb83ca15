package history

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/curve"
	"gorgone/store/postgres"
)

// readSpans reads snapshots of some tweets span by span. The statement takes the rows,
// and both ends of a span after them; more are its further arguments. With newest the last
// span comes first. It ends when enough says so of what was read.
func readSpans[T any](ctx context.Context, a *Archive, rows []uuid.UUID, r Range, newest bool, sql string,
	scan pgx.RowToFunc[T], enough func([]T) bool, more ...any,
) (all []T, err error) {
	spans, err := curve.Spans(ctx, a.db, curve.Always().Within(r.From, r.To))
	if err != nil {
		return nil, err
	}
	if newest {
		slices.Reverse(spans)
	}
	for _, s := range spans {
		args := append([]any{rows, s.From, s.To}, more...)
		if err := a.db.ReadPlanned(ctx, postgres.Collect(&all, scan), sql, args...); err != nil {
			return nil, err
		}
		if enough(all) {
			break
		}
	}
	return all, nil
}
