package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A connection outlives what it was opened on: after a failover it leads to a standby,
// and after a migration of the product its prepared statements do not fit the tables.
// The first statement that says so closes its connection, and the others of the pool
// are closed as they are given back. The call is made again on a new one, so callers
// see nothing of it unless new connections are no better.

// staleTries is how often a call is made whose connections are stale.
const staleTries = 3

// dropStale has a pool close connections that say that they are stale.
func (db *DB) dropStale(config *pgxpool.Config) {
	next := config.ConnConfig.OnPgError
	config.ConnConfig.OnPgError = func(c *pgconn.PgConn, refused *pgconn.PgError) bool {
		if refused.Code == CodeNotNullViolation {
			db.forgetShape() // the column may refuse null only since a moment ago
		}
		if !db.pooled && (refused.Code == codeUndefinedStatement || refused.Code == codeDuplicateStatement) {
			refused.Message += ": " + poolerAdvice
		}
		return next(c, refused) && !hasPrefix(refused.Code, staleCodes)
	}
}

// preferPrimary has only a server used that takes writes, when the url names several
// hosts and does not say which of them to use.
func preferPrimary(cc *pgx.ConnConfig) {
	for _, other := range cc.Fallbacks { // other ways to the same host are among them
		if (other.Host != cc.Host || other.Port != cc.Port) && cc.ValidateConnect == nil {
			cc.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		}
	}
}

// again reports whether a call that ended with err is to be made again. Then all
// connections that were open have been replaced.
func (db *DB) again(tries int, err error) bool {
	if !stale(err) {
		return false
	}
	db.pool.Reset()
	return tries < staleTries
}

// Ping checks that the database answers and takes writes. The error for one that takes
// none wraps [ErrReadOnly]; connections to it are thrown away.
func (db *DB) Ping(ctx context.Context) error {
	var err error
	for range staleTries { // the first connections may be old ones
		var readOnly, standby bool
		err = db.QueryRow(ctx, `select current_setting('transaction_read_only')::bool, pg_is_in_recovery()`).Scan(&readOnly, &standby)
		if err != nil || !readOnly {
			break
		}
		err = ErrReadOnly
		if !standby {
			err = fmt.Errorf("%w: default_transaction_read_only is on for the role or the database", ErrReadOnly)
		}
		db.pool.Reset()
	}
	if err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	return nil
}

// Query runs a statement that returns rows.
func (db *DB) Query(ctx context.Context, sql string, args ...any) (rows pgx.Rows, err error) {
	if err := outside(ctx); err != nil {
		return nil, err
	}
	for tries := 1; ; tries++ {
		rows, err = db.query(ctx, sql, args...)
		if err == nil || !db.again(tries, err) {
			break
		}
	}
	if err != nil {
		return rows, err
	}
	query := func() (pgx.Rows, error) { return db.query(ctx, sql, args...) }
	return &freshRows{Rows: rows, db: db, query: query}, nil
}

// ReadPlanned runs a statement that returns rows, planned for just these arguments: of a
// table in partitions it touches, and locks, only those that they need. A prepared
// statement's plan is for any arguments, and locks them all. It has the time of a statement.
func (db *DB) ReadPlanned(ctx context.Context, read func(pgx.Rows) error, sql string, args ...any) error {
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	if !db.pooled {
		args = append([]any{pgx.QueryExecModeExec}, args...)
	}
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	if err := read(rows); err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}

// freshRows are the rows of a statement that is run again when its connection turns out
// to be stale before the first row.
type freshRows struct {
	pgx.Rows

	db    *DB
	query func() (pgx.Rows, error) // nil after the first row
	tries int
}

// Next implements [pgx.Rows].
func (r *freshRows) Next() bool {
	for {
		if r.Rows.Next() {
			r.query = nil
			return true
		}
		if r.query == nil {
			return false
		}
		if r.tries++; !r.db.again(r.tries, r.Err()) {
			return false
		}
		rows, err := r.query()
		if err != nil {
			return false // the former error tells it
		}
		r.Rows = rows
	}
}

// QueryRow runs a statement that returns one row at most, when it is scanned.
func (db *DB) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return rowFunc(func(dest ...any) error {
		if err := outside(ctx); err != nil {
			return err
		}
		for tries := 1; ; tries++ {
			err := scanOne(dest)(db.query(ctx, sql, args...))
			if !db.again(tries, err) {
				return err
			}
		}
	})
}

// scanOne returns what scans the first of the rows.
func scanOne(dest []any) func(pgx.Rows, error) error {
	return func(rows pgx.Rows, err error) error {
		if err != nil {
			return err
		}
		defer rows.Close()
		if !rows.Next() {
			if err := rows.Err(); err != nil {
				return err
			}
			return pgx.ErrNoRows
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		rows.Close()
		return rows.Err()
	}
}

// rowFunc is a [pgx.Row].
type rowFunc func(dest ...any) error

// Scan implements [pgx.Row].
func (f rowFunc) Scan(dest ...any) error { return f(dest...) }

// Exec runs a statement that returns no rows.
func (db *DB) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if err := outside(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	for tries := 1; ; tries++ {
		tag, err = db.exec(ctx, sql, args...)
		if !db.again(tries, err) {
			return tag, err
		}
	}
}

// Send sends the group of statements that queue adds in one round trip, as a
// transaction of its own, and runs their callbacks. When the connection is stale it
// does so again from the start, so queue and the callbacks must not keep anything of
// an earlier try.
func (db *DB) Send(ctx context.Context, queue func(*pgx.Batch)) error {
	if err := outside(ctx); err != nil {
		return err
	}
	for tries := 1; ; tries++ {
		err := db.pool.SendBatch(ctx, db.withSettings(queue)).Close()
		if !db.again(tries, err) {
			return err
		}
	}
}
