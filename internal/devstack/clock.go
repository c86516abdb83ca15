package devstack

import (
	"context"
	"fmt"
	"time"

	"gorgone/internal/clock"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/store/postgres"
)

// stampEvery is how often a demonstration's clock is written down, so that a
// restart knows when it stood still.
const stampEvery = time.Second

// setClock decides how engine time runs and stores it, for the other commands
// and for the next start. A demonstration's time stands still while it is not
// running; anything else runs on real time.
func setClock(ctx context.Context, database config.Database, own, demonstrates bool, speed float64) (clock.Setting, error) {
	db, err := postgres.Connect(ctx, postgres.Config{URL: string(database.URL), MaxConns: 1, ApplicationName: "gorgone up"})
	if err != nil {
		return clock.Setting{}, err
	}
	defer db.Close()
	if own {
		if err := db.MarkPrivate(ctx); err != nil {
			return clock.Setting{}, err
		}
	}
	private, err := db.Private(ctx)
	if err != nil {
		return clock.Setting{}, err
	}
	before, err := db.ClockSetting(ctx)
	if err != nil {
		return clock.Setting{}, err
	}
	switch {
	case speed != 1 && !demonstrates:
		return clock.Setting{}, failure.Usagef("--speed %g: a real provider's tweets do not age faster; leave it out, or unset TWITTER_API_KEY", speed)
	case speed != 1 && !private:
		return clock.Setting{}, failure.Usagef("--speed %g: this database was not made by gorgone up, and its times are real; leave DATABASE_URL or --speed out", speed)
	case !demonstrates && !before.Real():
		return clock.Setting{}, failure.Usagef("the data folder holds a demonstration with a time of its own; to ask a real provider use another --data-dir, or --reset")
	case speed == 1 && before.Real():
		return before, nil
	}
	now, err := db.DatabaseTime(ctx)
	if err != nil {
		return clock.Setting{}, err
	}
	setting := clock.Setting{Database: now, Engine: now, Speed: speed}
	if !before.Real() {
		// A stack that was killed had stored a time that is up to one
		// stamp old. Time must not run through the same stretch twice.
		setting.Engine = before.Engine.Add(time.Duration(2 * float64(stampEvery) * before.Speed))
	}
	// Leases and back-offs are real durations, written in the time that ran then.
	if err := db.ClearLeases(ctx); err != nil {
		return clock.Setting{}, err
	}
	if err := db.SetClockSetting(ctx, setting); err != nil {
		return clock.Setting{}, fmt.Errorf("set the clock: %w", err)
	}
	return setting, nil
}

// stampClock writes down the time every second until ctx ends, and then once
// more.
func (s *Stack) stampClock(ctx context.Context) {
	stamp := func(ctx context.Context) {
		database := s.db.Clock.Database()
		err := s.db.DB.SetClockSetting(ctx, clock.Setting{Database: database, Engine: s.setting.At(database), Speed: s.setting.Speed})
		if err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("storing the clock failed")
		}
	}
	tick := time.NewTicker(stampEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			stamp(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), stampEvery)
			defer cancel()
			stamp(last)
			return
		}
	}
}
