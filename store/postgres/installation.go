package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// KeepsTiers reports whether the installation is from before the default schedule could be
// another than the tiers, and keeps them.
func (db *DB) KeepsTiers(ctx context.Context) (keeps bool, err error) {
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	err = db.QueryRow(ctx, `select tiers_default from gorgone.installation`).Scan(&keeps)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	if err != nil {
		return true, fmt.Errorf("read which schedule is the default: %w", err)
	}
	return keeps, nil
}
