package main

import (
	"context"
	"fmt"
	"time"

	"gorgone/internal/clock"
	"gorgone/store"
)

// stampEvery is how often a demonstration's clock is written down, so that a
// restart knows when it stood still.
const stampEvery = time.Second

// setClock decides how engine time runs and stores it, for the other commands
// and for the next start. A demonstration's time stands still while it is not
// running; anything else runs on real time.
func (a *app) setClock(ctx context.Context, own, demonstrates bool, speed float64) (clock.Setting, error) {
	db, err := store.Connect(ctx, store.Config{URL: string(a.cfg.Database.URL), MaxConns: 1, ApplicationName: "gorgone up"})
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
		return clock.Setting{}, usageError("--speed %g: a real provider's tweets do not age faster; leave it out, or unset TWITTER_API_KEY", speed)
	case speed != 1 && !private:
		return clock.Setting{}, usageError("--speed %g: this database was not made by gorgone up, and its times are real; leave DATABASE_URL or --speed out", speed)
	case !demonstrates && !before.Real():
		return clock.Setting{}, usageError("%s holds a demonstration with a time of its own; to ask a real provider use another --data-dir, or --reset", a.dataDir)
	case speed == 1 && before.Real():
		return before, nil
	}
	now, err := db.DatabaseTime(ctx)
	if err != nil {
		return clock.Setting{}, err
	}
	setting := clock.Setting{Database: now, Engine: now, Speed: speed}
	if !before.Real() {
		// Whoever stopped without a word had written down a time that is up to one
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
func (a *app) stampClock(ctx context.Context, h house) {
	stamp := func(ctx context.Context) {
		database := h.clock.Database()
		err := h.db.SetClockSetting(ctx, clock.Setting{Database: database, Engine: h.setting.At(database), Speed: h.setting.Speed})
		if err != nil && ctx.Err() == nil {
			a.log.Warn().Err(err).Msg("write down the clock")
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
