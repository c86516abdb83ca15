package postgres

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// What a statement means must not depend on how a role or a database is set up, so every
// setting that ours rest on is set: on a connection of our own once, and through a pooler
// within each transaction, since nothing may be left on a connection there. What is not
// set is either without effect on our statements, which name the schema of every table
// (search_path), or is refused by name ([ErrReadOnly], [DB.refuseSettings]).

// settings returns the settings that statements rest on.
func (db *DB) settings() [][2]string {
	return [][2]string{
		{"client_encoding", "UTF8"},
		{"DateStyle", "ISO, MDY"},
		{"IntervalStyle", "postgres"},
		{"TimeZone", "UTC"},
		{"bytea_output", "hex"},
		{"extra_float_digits", "1"},
		{"standard_conforming_strings", "on"},
		{"array_nulls", "on"},
		{"transform_null_equals", "off"},
		{"statement_timeout", milliseconds(db.statementTimeout)},
		{"lock_timeout", "0"},
		{"idle_in_transaction_session_timeout", milliseconds(idleInTransaction)},
		{"idle_session_timeout", "0"}, // the pool closes what is idle
		{"transaction_timeout", "0"},  // since Postgres 17
	}
}

// sessionSettings are set on a connection of our own only: of a pooler's the isolation
// is set with begin, or must be right from the start.
func sessionSettings() [][2]string {
	return [][2]string{{"default_transaction_isolation", "read committed"}}
}

// setAll returns the statement that sets those that differ, and that exist. With local
// they last until the end of the transaction. The values are constants and numbers.
func setAll(settings [][2]string, local bool) string {
	var sql strings.Builder
	sql.WriteString(`select pg_catalog.set_config(n, v, ` + map[bool]string{true: "true", false: "false"}[local] + `) from (values `)
	for i, s := range settings {
		if i > 0 {
			sql.WriteString(", ")
		}
		sql.WriteString(`('` + s[0] + `', '` + s[1] + `')`)
	}
	sql.WriteString(`) s (n, v) where pg_catalog.current_setting(n, true) <> v`)
	return sql.String()
}

// prepare readies a new connection.
func (db *DB) prepare(ctx context.Context, conn *pgx.Conn) error {
	if !db.pooled {
		if err := conn.PgConn().Exec(ctx, setAll(append(db.settings(), sessionSettings()...), false)).Close(); err != nil {
			return explain(err)
		}
	}
	return registerTypes(ctx, conn)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

// query runs a statement, through a pooler beside the settings that it rests on. The two
// go out together, and are one transaction as they end with one sync.
func (db *DB) query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if !db.pooled {
		return db.pool.Query(ctx, sql, args...)
	}
	results := db.pool.SendBatch(ctx, db.withSettings(func(b *pgx.Batch) { b.Queue(sql, args...) }))
	if _, err := results.Exec(); err != nil {
		_ = results.Close()
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		_ = results.Close()
		return nil, err
	}
	return &pooledRows{Rows: rows, results: results}, nil
}

// withSettings returns a group of statements that begins with the settings.
func (db *DB) withSettings(queue func(*pgx.Batch)) *pgx.Batch {
	var b pgx.Batch
	if db.pooled {
		b.Queue(setAll(db.settings(), true))
	}
	queue(&b)
	return &b
}

// exec runs a statement that returns no rows.
func (db *DB) exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if !db.pooled {
		return db.pool.Exec(ctx, sql, args...)
	}
	err = db.pool.SendBatch(ctx, db.withSettings(func(b *pgx.Batch) {
		b.Queue(sql, args...).Exec(func(got pgconn.CommandTag) error {
			tag = got
			return nil
		})
	})).Close()
	return tag, err
}

// pooledRows are the rows of a statement in a group. They give its connection back when
// they end.
type pooledRows struct {
	pgx.Rows

	results pgx.BatchResults
	ended   bool
	err     error
}

// Next implements [pgx.Rows].
func (r *pooledRows) Next() bool {
	if r.ended || !r.Rows.Next() {
		r.Close()
		return false
	}
	return true
}

// Close implements [pgx.Rows].
func (r *pooledRows) Close() {
	if r.ended {
		return
	}
	r.ended = true
	r.Rows.Close()
	r.err = r.results.Close()
}

// Err implements [pgx.Rows].
func (r *pooledRows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return err
	}
	return r.err
}
