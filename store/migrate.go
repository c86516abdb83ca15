package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// versionTable is where goose keeps which migrations were applied.
const versionTable = "gorgone.goose_db_version"

// migrateLock is the key of the session lock that migrators take. It is an
// arbitrary number ("gorgone" in hexadecimal ASCII).
const migrateLock = 0x676f72676f6e65

// lockPoll is how often a migrator that waits for another looks again. It does
// not wait inside the database: that would hold a snapshot, for which the other
// one's concurrent index build waits in turn.
const lockPoll = 100 * time.Millisecond

// Migration is one step that [Migrate] took.
type Migration struct {
	Version int64  // 0: not a numbered step but an index that was missing
	Name    string // file or index
}

// Migrate brings the database at url to the current schema and returns the steps
// it took. On an empty database it makes all tables; on one that has the
// product's tables it adds what is missing and changes nothing else. Two at once
// are safe: the second waits.
//
// The url must lead to Postgres itself (or a pooler in session mode), because
// indexes are built concurrently and guarded by a session lock.
func Migrate(ctx context.Context, url string) ([]Migration, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("read the database url: %w", err)
	}
	if config.Port == transactionPoolerPort {
		return nil, fmt.Errorf("migrate over port %d: that is a transaction pooler's: give the direct connection's url (port 5432)", transactionPoolerPort)
	}
	config.RuntimeParams["application_name"] = "gorgone migrate"
	config.RuntimeParams["statement_timeout"] = "0" // an index may take long to build
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	// Closing the connection gives the lock back, even when ctx has ended.
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to send
	if err := lockMigrations(ctx, conn); err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `create schema if not exists gorgone`); err != nil {
		return nil, fmt.Errorf("make the schema gorgone: %w", err)
	}
	steps, err := runGoose(ctx, config)
	if err != nil {
		return steps, err
	}
	if err := fillZones(ctx, conn); err != nil {
		return steps, err
	}
	built, err := ensureIndexes(ctx, conn)
	return append(steps, built...), err
}

// fillChunk is how many rows get their zone in one transaction.
const fillChunk = 5000

// fillZones gives the live rows of an adopted database their zone, so that the
// first claims need not. Rows that somebody has locked are left to these.
func fillZones(ctx context.Context, conn *pgx.Conn) error {
	const homeless = `
		select tweet_db_id from public.twitter_engagement_tracking
		where zone_id is null and next_update_at is not null and tweet_db_id > $1
		order by tweet_db_id limit $2 for update skip locked`
	var after uuid.UUID
	for {
		var ids []uuid.UUID
		err := pgx.BeginFunc(ctx, conn, func(t pgx.Tx) error {
			rows, err := t.Query(ctx, homeless, after, fillChunk)
			if err != nil {
				return err
			}
			if ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil || len(ids) == 0 {
				return err
			}
			_, err = t.Exec(ctx, adoptZones, ids, uuid.Nil)
			return err
		})
		if err != nil {
			return fmt.Errorf("give tracking rows their zone: %w", err)
		}
		if len(ids) < fillChunk {
			return nil
		}
		after = ids[len(ids)-1]
	}
}

func lockMigrations(ctx context.Context, conn *pgx.Conn) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		var got bool
		if err := conn.QueryRow(ctx, `select pg_try_advisory_lock($1)`, int64(migrateLock)).Scan(&got); err != nil {
			return fmt.Errorf("take the migration lock: %w", err)
		}
		if got {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("another migration is under way: %w", context.Cause(ctx))
		}
	}
}

func runGoose(ctx context.Context, config *pgx.ConnConfig) (steps []Migration, err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName(versionTable))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	results, err := provider.Up(ctx)
	if partial, ok := errors.AsType[*goose.PartialError](err); ok {
		results = partial.Applied
	}
	for _, r := range results {
		steps = append(steps, Migration{Version: r.Source.Version, Name: path.Base(r.Source.Path)})
	}
	if err != nil {
		return steps, fmt.Errorf("migrate the database: %w", err)
	}
	return steps, nil
}

// latestVersion returns the version of the newest migration in this binary.
func latestVersion() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	var latest int64
	for _, name := range names {
		v, err := goose.NumericComponent(name)
		if err != nil {
			return 0, fmt.Errorf("read the migrations: %w", err)
		}
		latest = max(latest, v)
	}
	return latest, nil
}

// SchemaVersion returns the newest migration applied to the database and the
// newest that this program knows. The database is current when they are equal; a
// database that was never migrated has 0.
func (db *DB) SchemaVersion(ctx context.Context) (have, want int64, err error) {
	want, err = latestVersion()
	if err != nil {
		return 0, 0, err
	}
	var migrated bool
	if err := db.pool.QueryRow(ctx, `select to_regclass($1::text) is not null`, versionTable).Scan(&migrated); err != nil {
		return 0, want, fmt.Errorf("read the schema's version: %w", err)
	}
	if !migrated {
		return 0, want, nil
	}
	const sql = `select coalesce(max(version_id), 0) from gorgone.goose_db_version where is_applied`
	if err := db.pool.QueryRow(ctx, sql).Scan(&have); err != nil {
		return 0, want, fmt.Errorf("read the schema's version: %w", err)
	}
	return have, want, nil
}
