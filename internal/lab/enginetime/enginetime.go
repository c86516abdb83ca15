// Package enginetime has the engine time of a private database begin.
package enginetime

import (
	"context"
	"time"

	"gorgone/internal/clock"
	"gorgone/store/postgres"
)

// Begin marks a migrated database as private, and has its engine time run from first(now) on,
// where now is the database's time; speed 1 is as fast as real time. The connection that it takes
// for that is named after the application.
func Begin(ctx context.Context, url, application string, speed float64, first func(now time.Time) time.Time) error {
	db, err := postgres.Connect(ctx, postgres.Config{URL: url, MaxConns: 1, ApplicationName: application})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.MarkPrivate(ctx); err != nil {
		return err
	}
	now, err := db.DatabaseTime(ctx)
	if err != nil {
		return err
	}
	return db.SetClockSetting(ctx, clock.Setting{Database: now, Engine: first(now), Speed: speed})
}
