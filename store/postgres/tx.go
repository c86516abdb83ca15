package postgres

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

// Tx is a transaction whose statements are sent in pipelined groups. Its begin
// travels with the first group, so a transaction of n groups is n+1 round trips.
type Tx struct {
	db    *DB
	conn  *pgxpool.Conn
	begun bool
}

// Transact runs f in a transaction and commits it when f returns nil. It is run
// again, from the start, when it clashed with another transaction (a deadlock or
// a serialization failure) and when its connection turned out to be stale (a standby,
// since a failover, or tables that changed since a statement was prepared), so f must
// not keep anything of an earlier try. f works
// on its connection alone: what it calls on the DB fails with [ErrNested]. doing is
// one of a few constant texts: it is also what the transaction is counted by.
func (db *DB) Transact(ctx context.Context, doing string, f func(context.Context, *Tx) error) error {
	began := time.Now()
	var err error
	defer func() { db.onTransaction(strings.ReplaceAll(doing, " ", "_"), time.Since(began), err) }()
	for conflicts, fresh := 1, 1; ; {
		err = db.try(ctx, f)
		switch {
		case conflict(err) && conflicts < conflictTries:
			conflicts++
			continue
		case db.again(fresh, err):
			fresh++
			continue
		}
		break
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", doing, err)
	}
	return err
}

func (db *DB) try(ctx context.Context, f func(context.Context, *Tx) error) error {
	// The server's own time-out cannot reach us when the way to it is cut.
	ctx, cancel := context.WithTimeout(ctx, 2*db.statementTimeout)
	defer cancel()
	if err := outside(ctx); err != nil {
		return err
	}
	conn, err := db.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // a connection still in a transaction is closed, not reused
	t := &Tx{db: db, conn: conn}
	ctx = context.WithValue(ctx, insideKey{}, true)
	if err := f(ctx, t); err != nil {
		return errors.Join(err, t.rollback(ctx))
	}
	return t.commit(ctx)
}

// Group returns an empty group of statements for this transaction.
func (t *Tx) Group() *pgx.Batch {
	var b pgx.Batch
	if !t.begun {
		t.begun = true
		b.Queue(`begin isolation level read committed`)
		if t.db.pooled {
			b.Queue(setAll(t.db.settings(), true))
		}
	}
	return &b
}

// Send sends a group in one round trip and runs the callbacks of its statements.
func (t *Tx) Send(ctx context.Context, b *pgx.Batch) error {
	return t.conn.SendBatch(ctx, b).Close()
}

// Exec runs one statement in a round trip of its own.
func (t *Tx) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	b := t.Group()
	b.Queue(sql, args...).Exec(func(got pgconn.CommandTag) error {
		tag = got
		return nil
	})
	return tag, t.Send(ctx, b)
}

// ReadPlanned is [DB.ReadPlanned] in the transaction. The locks that the statement takes do
// not last until its end: they go with a savepoint.
func (t *Tx) ReadPlanned(ctx context.Context, read func(pgx.Rows) error, sql string, args ...any) error {
	b := t.Group()
	b.Queue(`savepoint planned`)
	b.Queue(planForArguments)
	b.Queue(sql, args...).Query(read)
	b.Queue(`rollback to savepoint planned`)
	b.Queue(`release savepoint planned`)
	return t.Send(ctx, b)
}

// planForArguments has the statements after it planned for their arguments.
const planForArguments = `set local plan_cache_mode = force_custom_plan`

// PlanForArguments has all statements of the transaction after it planned for their
// arguments, so that they lock only the partitions that they need.
func PlanForArguments(b *pgx.Batch) { b.Queue(planForArguments) }

// PlanByPage has all statements of the transaction after it find rows by an index and then
// read them page by page, each page once. The index of what is live begins with the zone, so
// in its order a page is read once for each of its rows: two to four times as long in all.
func PlanByPage(b *pgx.Batch) {
	b.Queue(`select pg_catalog.set_config(n, 'off', true) from (values ('enable_indexscan'), ('enable_seqscan'), ('jit')) s (n)`)
}

func (t *Tx) commit(ctx context.Context) error {
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

func (t *Tx) rollback(ctx context.Context) error {
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

// Wrote returns a callback that fails the transaction unless a statement wrote n
// rows. A statement that silently writes fewer would lose data.
func Wrote(n int, what string) func(pgconn.CommandTag) error {
	return func(tag pgconn.CommandTag) error { return WroteRows(int(tag.RowsAffected()), n, what) }
}

// WroteRows returns an error unless as many rows were written as there were.
func WroteRows(wrote, n int, what string) error {
	if wrote != n {
		return fmt.Errorf("wrote %d of %d %s: is there a trigger or a policy on the table that drops rows?", wrote, n, what)
	}
	return nil
}

// Collect returns a callback that appends the rows of a statement to list.
func Collect[T any](list *[]T, scan pgx.RowToFunc[T]) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		got, err := pgx.CollectRows(rows, scan)
		*list = append(*list, got...)
		return err
	}
}

// insideKey marks the contexts of transactions.
type insideKey struct{}

// ErrNested is returned by a call that would take a second connection from the pool
// while its transaction holds one. Calls that do so wait for each other for ever once
// they have taken all connections, and one does so alone on a pool of one.
var ErrNested = errors.New("a transaction needs a second connection")

// outside returns [ErrNested] in the context of a transaction.
func outside(ctx context.Context) error {
	if ctx.Value(insideKey{}) != nil {
		return ErrNested
	}
	return nil
}

// Bounded gives a read outside of a transaction the time a statement may take.
func (db *DB) Bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, db.statementTimeout)
}
