package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/internal/clock"
)

var _ clock.Source = (*DB)(nil)

// ClockSetting returns how engine time runs on this database: real time, unless
// [DB.SetClockSetting] said otherwise.
func (db *DB) ClockSetting(ctx context.Context) (clock.Setting, error) {
	var (
		setting          clock.Setting
		database, engine *time.Time
	)
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	err := db.QueryRow(ctx, `select database_at, engine_at, speed from gorgone.clock`).Scan(&database, &engine, &setting.Speed)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return clock.Setting{}, nil
	case err != nil:
		return clock.Setting{}, fmt.Errorf("read the clock's setting: %w", err)
	case database == nil || engine == nil:
		return clock.Setting{}, nil
	}
	setting.Database, setting.Engine = database.UTC(), engine.UTC()
	return setting, nil
}

// SetClockSetting stores how engine time runs, for every process that uses the
// database; those running must be started again. Anything but real time is
// refused with [ErrNotPrivate] unless [DB.MarkPrivate] was called on the database
// before.
func (db *DB) SetClockSetting(ctx context.Context, setting clock.Setting) error {
	speed := setting.Speed
	if speed == 0 {
		speed = 1
	}
	if speed < 0 {
		return fmt.Errorf("set the clock: a speed of %g runs backwards", speed)
	}
	if !setting.Real() {
		private, err := db.Private(ctx)
		if err != nil {
			return err
		}
		if !private {
			return fmt.Errorf("set the clock to speed %g: %w", speed, ErrNotPrivate)
		}
	}
	const sql = `
		insert into gorgone.clock (database_at, engine_at, speed)
		values ($1::timestamptz, $2::timestamptz, $3::float8)
		on conflict (only_row) do update set database_at = excluded.database_at, engine_at = excluded.engine_at, speed = excluded.speed`
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	if _, err := db.Exec(ctx, sql, NullTime(setting.Database), NullTime(setting.Engine), speed); err != nil {
		return fmt.Errorf("store the clock's setting: %w", err)
	}
	return nil
}

// ClearLeases lifts all claims and back-offs. They are real durations, written in
// engine time: when that begins to run at another speed, or has stood still, they
// mean nothing any more. No other process may use the database.
func (db *DB) ClearLeases(ctx context.Context) error {
	return db.Transact(ctx, "clear leases", func(ctx context.Context, t *Tx) error {
		b := t.Group()
		b.Queue(`
			update public.twitter_engagement_tracking set claim_id = null, claimed_until = null, retry_at = null
			where claim_id is not null or retry_at is not null`)
		b.Queue(`delete from gorgone.batches where done_at is null`)
		return t.Send(ctx, b)
	})
}

// MarkPrivate records that the database was created for this engine alone.
func (db *DB) MarkPrivate(ctx context.Context) error {
	const sql = `
		insert into gorgone.clock (private) values (true)
		on conflict (only_row) do update set private = true`
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	if _, err := db.Exec(ctx, sql); err != nil {
		return fmt.Errorf("mark the database as private: %w", err)
	}
	return nil
}

// Private reports whether [DB.MarkPrivate] was called on the database.
func (db *DB) Private(ctx context.Context) (bool, error) {
	var private bool
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	err := db.QueryRow(ctx, `select coalesce(bool_or(private), false) from gorgone.clock`).Scan(&private)
	if err != nil {
		return false, fmt.Errorf("ask whether the database is private: %w", err)
	}
	return private, nil
}
