package postgres

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"gorgone/internal/clock"
)

// ExecMode says how statements are sent.
type ExecMode string

// The modes.
const (
	// ExecAuto is ExecPooled where a pooler is found to be in between, else
	// ExecPrepared. A default_query_exec_mode in the URL comes first.
	ExecAuto ExecMode = "auto"
	// ExecPrepared keeps prepared statements on each connection.
	ExecPrepared ExecMode = "prepared"
	// ExecPooled keeps nothing on a connection, as a transaction pooler
	// (PgBouncer, Supavisor) needs.
	ExecPooled ExecMode = "pooled"
)

const (
	// transactionPoolerPort is where Supabase's pooler runs in transaction mode.
	transactionPoolerPort = 6543

	defaultStatementTimeout = 30 * time.Second

	// idleInTransaction ends the transaction of a process that froze in it,
	// which would hold its row locks for as long as the connection lives.
	idleInTransaction = time.Minute
)

// Config says how to reach the database.
type Config struct {
	URL              string        // postgres://user:password@host:port/database
	MaxConns         int           // 0: pgxpool's default (4, or the number of CPUs)
	ExecMode         ExecMode      // "": ExecAuto
	StatementTimeout time.Duration // 0: 30 s
	ApplicationName  string        // shown in pg_stat_activity; "": gorgone

	// OnTransaction, if set, is told of every transaction when it is over: what it
	// does, one of a few words, and how long all its tries took. It may be called
	// from many goroutines.
	OnTransaction func(op string, took time.Duration, err error)
}

// DB is a pool of connections to the database.
type DB struct {
	pool             *pgxpool.Pool
	pooled           bool
	statementTimeout time.Duration
	onTransaction    func(op string, took time.Duration, err error)
	shape            shape
}

// Connect opens a pool and checks that the database answers. It makes one connection
// first, to find out whether a pooler is in between. Errors contain nothing of the url but
// user, database, host and port. One that wraps [ErrPooler] says what to change.
func Connect(ctx context.Context, config Config) (*DB, error) {
	pc, err := parseURL(config.URL)
	if err != nil {
		return nil, err
	}
	db := &DB{statementTimeout: config.StatementTimeout, onTransaction: config.OnTransaction}
	if db.onTransaction == nil {
		db.onTransaction = func(string, time.Duration, error) {}
	}
	if db.statementTimeout <= 0 {
		db.statementTimeout = defaultStatementTimeout
	}
	if config.MaxConns > 0 {
		pc.MaxConns = int32(min(config.MaxConns, 10_000)) // #nosec G115 -- bounded
	}
	// No other parameter at the start: a pooler refuses those that it does not know.
	pc.ConnConfig.RuntimeParams["application_name"] = cmp.Or(config.ApplicationName, "gorgone")
	preferPrimary(pc.ConnConfig)
	if err := db.setExecMode(ctx, pc.ConnConfig, config.ExecMode); err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	pc.AfterConnect = db.prepare
	db.dropStale(pc)
	db.pool, err = pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	err = db.pool.Ping(ctx)
	if err == nil {
		err = db.refuseSettings(ctx)
	}
	if err != nil {
		db.pool.Close()
		return nil, fmt.Errorf("reach the database: %w", err)
	}
	return db, nil
}

// setExecMode decides how statements are sent.
func (db *DB) setExecMode(ctx context.Context, cc *pgx.ConnConfig, mode ExecMode) error {
	switch mode {
	case ExecPrepared, ExecPooled, ExecAuto, "":
	default:
		return fmt.Errorf("exec mode %q is not one of auto, prepared, pooled", mode)
	}
	found, err := probe(ctx, cc, mode == ExecPrepared)
	switch {
	case err != nil:
		return err
	case mode == ExecPrepared && found.shared:
		return fmt.Errorf("%w: a transaction pooler is in between, as two connections were served by one process, "+
			"and GORGONE_DB_POOLER is no: set it to auto or yes", ErrPooler)
	case mode == ExecPrepared:
		cc.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	case mode == ExecPooled, found.pooler && cc.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement:
		cc.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	db.pooled = cc.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
	if db.pooled {
		cc.StatementCacheCapacity = 0
	}
	return nil
}

// Pooled reports whether statements leave nothing on a connection, as a pooler needs.
func (db *DB) Pooled() bool { return db.pooled }

// Close closes the pool. It waits for connections in use to be given back.
func (db *DB) Close() { db.pool.Close() }

// PoolUse is how the connections of a pool are used.
type PoolUse struct {
	InUse int // connections
	Idle  int // connections
	Max   int // connections
	// Waited is how often a caller had to wait for a connection, since the start.
	Waited int64
}

// PoolUse returns how the pool is used at this moment.
func (db *DB) PoolUse() PoolUse {
	s := db.pool.Stat()
	return PoolUse{InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Max: int(s.MaxConns()), Waited: s.EmptyAcquireCount()}
}

// ReadClock reads the database's clock. It is the only place where SQL is asked for the
// time, and makes a DB a clock.Source.
//
// The transaction comes first, so that what is measured is one round trip: a connection of
// the pool, and one of a pooler's to the server, may have to be waited for.
func (db *DB) ReadClock(ctx context.Context) (r clock.Reading, err error) {
	err = db.try(ctx, func(ctx context.Context, t *Tx) error {
		if err := t.Send(ctx, t.Group()); err != nil {
			return err
		}
		r.Asked = time.Now()
		err := t.conn.QueryRow(ctx, `select clock_timestamp()`).Scan(&r.Database)
		r.Answered = time.Now()
		return err
	})
	if err != nil {
		return r, fmt.Errorf("ask the database for the time: %w", err)
	}
	r.Database = r.Database.UTC()
	return r, nil
}

// DatabaseTime returns the database's time, as of some time in the call.
func (db *DB) DatabaseTime(ctx context.Context) (time.Time, error) {
	r, err := db.ReadClock(ctx)
	return r.Database, err
}
