package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// conflictTries is how often a transaction is tried that clashes with others.
	conflictTries = 12

	// rollbackTimeout bounds the rollback of a transaction whose caller is gone.
	rollbackTimeout = 5 * time.Second
)

// tx is a transaction whose statements are sent in pipelined groups. Its begin
// travels with the first group, so a transaction of n groups is n+1 round trips.
type tx struct {
	db    *DB
	conn  *pgxpool.Conn
	begun bool
}

// transact runs f in a transaction and commits it when f returns nil. It is run
// again, from the start, when it clashed with another transaction (a deadlock or
// a serialization failure), so f must not keep anything of an earlier try. doing is
// one of a few constant texts: it is also what the transaction is counted by.
func (db *DB) transact(ctx context.Context, doing string, f func(context.Context, *tx) error) error {
	began := time.Now()
	var err error
	defer func() { db.onTransaction(strings.ReplaceAll(doing, " ", "_"), time.Since(began), err) }()
	for range conflictTries {
		if err = db.try(ctx, f); err == nil || !conflict(err) {
			break
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	return err
}

func (db *DB) try(ctx context.Context, f func(context.Context, *tx) error) error {
	// The server's own time-out cannot reach us when the way to it is cut.
	ctx, cancel := context.WithTimeout(ctx, 2*db.statementTimeout)
	defer cancel()
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // a connection still in a transaction is closed, not reused
	t := &tx{db: db, conn: conn}
	if err := f(ctx, t); err != nil {
		return errors.Join(err, t.rollback(ctx))
	}
	return t.commit(ctx)
}

// group returns an empty group of statements for this transaction.
func (t *tx) group() *pgx.Batch {
	var b pgx.Batch
	if !t.begun {
		t.begun = true
		b.Queue(`begin`)
		if t.db.pooled {
			b.Queue(`select set_config('statement_timeout', $1::text, true), set_config('idle_in_transaction_session_timeout', $2::text, true)`,
				milliseconds(t.db.statementTimeout), milliseconds(idleInTransaction))
		}
	}
	return &b
}

// send sends a group in one round trip and runs the callbacks of its statements.
func (t *tx) send(ctx context.Context, b *pgx.Batch) error {
	return t.conn.SendBatch(ctx, b).Close()
}

func (t *tx) commit(ctx context.Context) error {
	if !t.begun {
		return nil
	}
	tag, err := t.conn.Exec(ctx, `commit`)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	if tag.String() != "COMMIT" {
		return fmt.Errorf("commit: %w", pgx.ErrTxCommitRollback)
	}
	return nil
}

func (t *tx) rollback(ctx context.Context) error {
	if t.conn.Conn().IsClosed() || t.conn.Conn().PgConn().TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	if _, err := t.conn.Exec(ctx, `rollback`); err != nil {
		return fmt.Errorf("roll back: %w", err)
	}
	return nil
}

// wrote returns a callback that fails the transaction unless a statement wrote n
// rows. A statement that silently writes fewer would lose data.
func wrote(n int, what string) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error {
		if got := tag.RowsAffected(); got != int64(n) {
			return fmt.Errorf("wrote %d of %d %s: is there a trigger or a policy on the table that drops rows?", got, n, what)
		}
		return nil
	}
}

// collect returns a callback that appends the rows of a statement to list.
func collect[T any](list *[]T, scan pgx.RowToFunc[T]) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		got, err := pgx.CollectRows(rows, scan)
		*list = append(*list, got...)
		return err
	}
}

// bounded gives a read outside of a transaction the time a statement may take.
func (db *DB) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, db.statementTimeout)
}
