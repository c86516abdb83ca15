package store

import (
	"context"
	"errors"

	"gorgone/internal/clock"
)

// ClockSetting returns how engine time runs on this database: real time, unless
// [DB.SetClockSetting] said otherwise.
func (db *DB) ClockSetting(ctx context.Context) (clock.Setting, error) {
	return clock.Setting{}, errors.ErrUnsupported
}

// SetClockSetting stores how engine time runs, for every process that uses the
// database. Anything but real time is refused with [ErrNotPrivate] unless
// [DB.MarkPrivate] was called on the database before.
func (db *DB) SetClockSetting(ctx context.Context, setting clock.Setting) error {
	return errors.ErrUnsupported
}

// MarkPrivate records that the database was created for this engine alone.
func (db *DB) MarkPrivate(ctx context.Context) error { return errors.ErrUnsupported }

// Private reports whether [DB.MarkPrivate] was called on the database.
func (db *DB) Private(ctx context.Context) (bool, error) { return false, errors.ErrUnsupported }
