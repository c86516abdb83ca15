package postgres

import (
	"context"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

// shape is what differs between the databases that were adopted: the columns in
// which a null can not be stored. It is read once.
type shape struct {
	mu      sync.Mutex
	notNull map[string]bool // table.column
}

// RequiredColumns returns the columns (as table.column) of the product's tables that
// refuse null. They are read once, and again after a null was refused.
func (db *DB) RequiredColumns(ctx context.Context) (map[string]bool, error) {
	s := &db.shape
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notNull != nil {
		return s.notNull, nil
	}
	const sql = `
		select c.relname || '.' || a.attname
		from pg_attribute a join pg_class c on c.oid = a.attrelid
		where a.attrelid in (to_regclass('public.twitter_tweets'), to_regclass('public.twitter_engagement_history'))
		and a.attnotnull and a.attnum > 0`
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	rows, err := db.Query(ctx, sql)
	if err != nil {
		return nil, fmt.Errorf("read the columns of the database: %w", err)
	}
	defer rows.Close()
	notNull := make(map[string]bool)
	for rows.Next() {
		var column string
		if err := rows.Scan(&column); err != nil {
			return nil, fmt.Errorf("read the columns of the database: %w", err)
		}
		notNull[column] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the columns of the database: %w", err)
	}
	s.notNull = notNull
	return notNull, nil
}

// forgetShape has the columns read again.
func (db *DB) forgetShape() {
	db.shape.mu.Lock()
	defer db.shape.mu.Unlock()
	db.shape.notNull = nil
}

// OrZero replaces a null by 0 where the column refuses null.
func OrZero(n pgtype.Int4, column string, required map[string]bool) pgtype.Int4 {
	if !n.Valid && required[column] {
		return pgtype.Int4{Valid: true}
	}
	return n
}
