package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ExecMode says how statements are sent.
type ExecMode string

// The modes.
const (
	// ExecAuto is ExecPooled on port 6543, where Supabase has its transaction
	// pooler, else ExecPrepared. A default_query_exec_mode in the URL comes first.
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
}

// Connect opens a pool and checks that the database answers. Errors do not
// contain the password.
func Connect(ctx context.Context, config Config) (*DB, error) {
	pc, err := pgxpool.ParseConfig(config.URL)
	if err != nil {
		return nil, fmt.Errorf("read the database url: %w", err)
	}
	db := &DB{statementTimeout: config.StatementTimeout, onTransaction: config.OnTransaction}
	if db.onTransaction == nil {
		db.onTransaction = func(string, time.Duration, error) {}
	}
	if db.statementTimeout <= 0 {
		db.statementTimeout = defaultStatementTimeout
	}
	if err := db.setExecMode(pc.ConnConfig, config.ExecMode); err != nil {
		return nil, err
	}
	if config.MaxConns > 0 {
		pc.MaxConns = int32(min(config.MaxConns, 10_000)) // #nosec G115 -- bounded
	}
	params := pc.ConnConfig.RuntimeParams
	params["application_name"] = config.ApplicationName
	if config.ApplicationName == "" {
		params["application_name"] = "gorgone"
	}
	if !db.pooled {
		// A pooler refuses parameters at the start that it does not know; there
		// they are set in each transaction.
		params["statement_timeout"] = milliseconds(db.statementTimeout)
		params["idle_in_transaction_session_timeout"] = milliseconds(idleInTransaction)
	}
	pc.AfterConnect = registerTypes
	db.pool, err = pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	if err := db.Ping(ctx); err != nil {
		db.pool.Close()
		return nil, err
	}
	return db, nil
}

func (db *DB) setExecMode(cc *pgx.ConnConfig, mode ExecMode) error {
	switch mode {
	case ExecPrepared:
		cc.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	case ExecPooled:
		cc.DefaultQueryExecMode = pgx.QueryExecModeExec
	case ExecAuto, "":
		if cc.Port == transactionPoolerPort && cc.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
			cc.DefaultQueryExecMode = pgx.QueryExecModeExec
		}
	default:
		return fmt.Errorf("exec mode %q is not one of auto, prepared, pooled", mode)
	}
	db.pooled = cc.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
	if db.pooled {
		cc.StatementCacheCapacity = 0
	}
	return nil
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}

// Close closes the pool. It waits for connections in use to be given back.
func (db *DB) Close() { db.pool.Close() }

// PoolUse is how the connections of a pool are used.
type PoolUse struct {
	InUse int // connections
	Idle  int // connections
	Max   int // connections
	// Waited is how often somebody had to wait for a connection, since the start.
	Waited int64
}

// PoolUse returns how the pool is used at this moment.
func (db *DB) PoolUse() PoolUse {
	s := db.pool.Stat()
	return PoolUse{InUse: int(s.AcquiredConns()), Idle: int(s.IdleConns()), Max: int(s.MaxConns()), Waited: s.EmptyAcquireCount()}
}

// Ping checks that the database answers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reach the database: %w", err)
	}
	return nil
}

// DatabaseTime returns the database's time. It is the only place where SQL is
// asked for the time, and makes a DB a clock.Source.
func (db *DB) DatabaseTime(ctx context.Context) (time.Time, error) {
	var now time.Time
	if err := db.pool.QueryRow(ctx, `select clock_timestamp()`).Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("ask the database for the time: %w", err)
	}
	return now.UTC(), nil
}
