package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
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

// migrateLock is the key of the lock that migrators take. It is an arbitrary number ("gorgone"
// in hexadecimal ASCII).
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
// product's tables it adds what is missing and changes nothing else. One whose tables do not
// fit gets a [MisfitError]. Two at once are safe: the second waits.
//
// A transaction pooler may be in between: nothing is kept in a session, and the lock is
// that of a transaction, which lasts as long as the migration. The pooler needs two
// connections to the server for it. An index takes as long to build as the role's
// statement_timeout allows there; on a connection of our own there is no limit.
func Migrate(ctx context.Context, url string) ([]Migration, error) {
	m, err := newMigrator(ctx, url)
	if err != nil {
		return nil, err
	}
	conn, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to send
	unlock, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	misfits, err := Misfits(ctx, conn)
	if err != nil {
		return nil, err
	}
	if len(misfits) > 0 {
		return nil, &MisfitError{Misfits: misfits}
	}
	if _, err := conn.Exec(ctx, `create schema if not exists gorgone`); err != nil {
		return nil, fmt.Errorf("make the schema gorgone: %w", err)
	}
	steps, err := m.runGoose(ctx)
	if err != nil {
		return steps, m.explain(err)
	}
	if err := fillZones(ctx, conn); err != nil {
		return steps, m.explain(err)
	}
	built, err := ensureIndexes(ctx, conn)
	return append(steps, built...), m.explain(err)
}

// migrator has what a migration needs.
type migrator struct {
	db     DB // for its settings; it has no pool
	config *pgx.ConnConfig
}

func newMigrator(ctx context.Context, url string) (*migrator, error) {
	pool, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	m := &migrator{config: pool.ConnConfig}
	m.config.RuntimeParams["application_name"] = "gorgone migrate"
	preferPrimary(m.config)
	if err := m.db.setExecMode(ctx, m.config, ExecAuto); err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return m, nil
}

// connect opens a connection.
func (m *migrator) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, m.config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", explain(err))
	}
	if err := m.prepare(ctx, conn); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the database: %w", err), conn.Close(ctx))
	}
	return conn, nil
}

// prepare readies a connection for statements that may take long.
func (m *migrator) prepare(ctx context.Context, conn *pgx.Conn) error {
	if !m.db.pooled {
		unlimited := append(m.db.settings(), sessionSettings()...)
		for i := range unlimited {
			if strings.HasSuffix(unlimited[i][0], "_timeout") {
				unlimited[i][1] = "0"
			}
		}
		if err := conn.PgConn().Exec(ctx, setAll(unlimited, false)).Close(); err != nil {
			return explain(err)
		}
	}
	return registerTypes(ctx, conn)
}

// explain adds what to do when a statement took longer than it may through a pooler.
func (m *migrator) explain(err error) error {
	if m.db.pooled && HasCode(err, CodeQueryCanceled) {
		return fmt.Errorf("%w: through a pooler the role's statement_timeout applies: give a direct connection's url in GORGONE_MIGRATE_URL", err)
	}
	return err
}

// lock waits until no other migration is under way and keeps others off until unlock is
// called. Its transaction is idle and has no snapshot, so that no index build waits
// for it.
func (m *migrator) lock(ctx context.Context) (unlock func(), err error) {
	conn, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	// Closing the connection gives the lock back, even when ctx has ended.
	unlock = func() { _ = conn.Close(context.WithoutCancel(ctx)) }
	if err := lockMigrations(ctx, conn); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// CheckMigrate returns what [Migrate] would refuse the database at url for, and changes
// nothing.
func CheckMigrate(ctx context.Context, url string) ([]Misfit, error) {
	m, err := newMigrator(ctx, url)
	if err != nil {
		return nil, err
	}
	conn, err := m.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing is left to send
	return Misfits(ctx, conn)
}

// fillChunk is how many rows get their zone in one transaction.
const fillChunk = 5000

// fillZones gives the live rows of an adopted database their zone, so that the
// first claims need not. Rows that are locked are left to these.
func fillZones(ctx context.Context, conn *pgx.Conn) error {
	const zoneless = `
		select tweet_db_id from public.twitter_engagement_tracking
		where zone_id is null and next_update_at is not null and tweet_db_id > $1
		order by tweet_db_id limit $2 for update skip locked`
	var after uuid.UUID
	for {
		var ids []uuid.UUID
		err := pgx.BeginFunc(ctx, conn, func(t pgx.Tx) error {
			rows, err := t.Query(ctx, zoneless, after, fillChunk)
			if err != nil {
				return err
			}
			if ids, err = pgx.CollectRows(rows, pgx.RowTo[uuid.UUID]); err != nil || len(ids) == 0 {
				return err
			}
			_, err = t.Exec(ctx, BackfillZones, ids, uuid.Nil)
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

// BackfillZones gives rows the zone of their tweet. A tweet without one, which an
// adopted table may have, is in no zone: $2. So is a row whose tweet does not exist,
// which a table without the foreign key, or one restored with triggers off, may have.
const BackfillZones = `
	update public.twitter_engagement_tracking k
	set zone_id = coalesce((select w.zone_id from public.twitter_tweets w where w.id = k.tweet_db_id), $2::uuid)
	where k.tweet_db_id = any($1::uuid[])`

// lockMigrations takes the lock in a transaction that it leaves open. The protocol is the
// simple one: of the other, the statement's portal would keep its snapshot, for which
// index builds wait.
func lockMigrations(ctx context.Context, conn *pgx.Conn) error {
	take := fmt.Sprintf(`select pg_try_advisory_xact_lock(%d)
		from (select set_config('idle_in_transaction_session_timeout', '0', true)) s`, int64(migrateLock))
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		for _, sql := range []string{`begin isolation level read committed`, take, `rollback`} {
			got, err := simple(ctx, conn, sql)
			if err != nil {
				return fmt.Errorf("take the migration lock: %w", err)
			}
			if got == "t" {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("another migration is under way: %w", context.Cause(ctx))
		}
	}
}

func (m *migrator) runGoose(ctx context.Context) (steps []Migration, err error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	db := stdlib.OpenDB(*m.config, stdlib.OptionAfterConnect(m.prepare))
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, briefLocks{files}, goose.WithTableName(versionTable))
	if err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	results, err := migrateUp(ctx, provider)
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
	if err := db.QueryRow(ctx, `select to_regclass($1::text) is not null`, versionTable).Scan(&migrated); err != nil {
		return 0, want, fmt.Errorf("read the schema's version: %w", err)
	}
	if !migrated {
		return 0, want, nil
	}
	const sql = `select coalesce(max(version_id), 0) from gorgone.goose_db_version where is_applied`
	if err := db.QueryRow(ctx, sql).Scan(&have); err != nil {
		return 0, want, fmt.Errorf("read the schema's version: %w", err)
	}
	return have, want, nil
}
