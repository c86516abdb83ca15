// Package month runs the engine for a month of engine time in an hour or less, with
// everything switched on, and tells what grows as it goes on running.
package month

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/internal/lab/disk"
)

const (
	// lifetime is how old a tweet gets until it is looked up no more, by tiers.
	lifetime = 72 * time.Hour

	// tiers are the schedule: 18 look-ups a tweet.
	tiers        = "ultra_hot 1h 10m, hot 4h 30m, warm 72h 12h"
	lookupsATime = 18

	// keepAll, keepHourly and keepDaily are the retention. Days of old months are merged
	// only where history stays longer than half a year.
	keepAll    = 3 * 24 * time.Hour
	keepHourly = 4 * 24 * time.Hour
	keepDaily  = 300 * 24 * time.Hour

	leastDays   = 9               // fewer tell nothing of growth
	shortestDay = 4 * time.Second // real time
	day         = 24 * time.Hour
)

// Options shape a run.
type Options struct {
	Days     int           // of engine time
	Duration time.Duration // real time for them
	Live     int           // tweets that are looked up still, at a time
	Replay   string        // file of cascades; "": tweets are synthetic
	Seed     uint64

	Dir     string // folder of everything; must not exist. Removed at the end
	Samples string // file that gets all samples as CSV; "": none
	Keep    bool   // keep Dir
	Check   bool   // fail when something grows, or was not done
	JSON    bool   // print JSON

	Program string // path of the gorgone binary, which runs the roles
	Version string // shown in logs
	Out     io.Writer
	Log     zerolog.Logger
}

func (o Options) validate() error {
	switch {
	case o.Days < leastDays || o.Days > 366:
		return failure.Usagef("--days %d: must be %d to 366", o.Days, leastDays)
	case o.Live < 90 || o.Live > 1_000_000:
		return failure.Usagef("--live %d: must be 90 to 1000000", o.Live)
	case o.Duration < shortestDay*time.Duration(o.Days):
		return failure.Usagef("--duration %s: %d days take %s at least", o.Duration, o.Days, shortestDay*time.Duration(o.Days))
	case o.Dir == "":
		return failure.Usagef("--dir: name a folder")
	}
	return nil
}

// tweets is how many are posted in all.
func (o Options) tweets() int { return o.daily() * o.Days }

// daily is how many are posted a day, so that Live of them are looked up at a time.
func (o Options) daily() int { return o.Live / int(lifetime/day) }

// speed is how many times faster than real time the engine's passes.
func (o Options) speed() float64 { return float64(o.Days) * float64(day) / float64(o.Duration) }

// What a run writes at most, in bytes: twice what was measured.
const (
	tweetBytes = 4000 // a tweet, its tracking row, and its points until they are thinned
	fixedBytes = 1 << 30
	logBytes   = 2 << 30 // of Postgres, which has this bound
)

// diskNeeded is how many bytes a run takes at most.
func (o Options) diskNeeded() int64 {
	rows := int64(o.tweets()) * tweetBytes
	return fixedBytes + rows + min(logBytes, 2*rows)
}

// Run runs the engine, prints what was sampled, and removes what it made. With Check the
// error says what grew, or was not done.
func Run(ctx context.Context, cfg config.Config, o Options) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	if _, err := os.Stat(o.Dir); !errors.Is(err, os.ErrNotExist) {
		return failure.Usagef("--dir: %s is there already: remove it, or name another folder", o.Dir)
	}
	if err := os.MkdirAll(filepath.Join(o.Dir, "logs"), 0o755); err != nil { //nolint:gosec // Postgres may run as another user
		return failure.Usagef("--dir: %w", err)
	}
	r := newRun(cfg, o)
	defer func() {
		if e := r.close(); err == nil {
			err = e
		}
		if !o.Keep {
			err = errors.Join(err, r.remove(context.WithoutCancel(ctx)))
		}
	}()
	if err := o.checkDisk(); err != nil {
		return err
	}
	if err := r.start(ctx); err != nil {
		return stopped(ctx, fmt.Errorf("start: %w", err))
	}
	o.Log.Info().Int("days", o.Days).Float64("speed", o.speed()).Dur("day_ms", r.real(day)).Int("tweets", o.tweets()).
		Time("from", r.begin).Time("month_ends", r.boundary).Msg("running")
	if err := r.play(ctx); err != nil {
		return stopped(ctx, err)
	}
	result, err := r.finish(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	if err := o.report(result); err != nil || !o.Check {
		return err
	}
	var faults []error
	for _, fault := range result.Faults {
		faults = append(faults, errors.New(fault))
	}
	return errors.Join(faults...)
}

// stopped is why a run ended that was told to.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// checkDisk says what is needed, and returns an error when the disk has less.
func (o Options) checkDisk() error {
	need := o.diskNeeded()
	free, err := disk.Free(o.Dir)
	if err != nil {
		return fmt.Errorf("look how much room %s has: %w", o.Dir, err)
	}
	o.Log.Info().Str("needs", disk.Gigabytes(need)).Str("free", disk.Gigabytes(free)).Msg("disk")
	if need > free {
		return fmt.Errorf("%d days with %d live tweets need %s and %s has %s free: name another folder with --dir, or give less --live or --days",
			o.Days, o.Live, disk.Gigabytes(need), o.Dir, disk.Gigabytes(free))
	}
	return nil
}

// printf writes a result. A reader that went away is no error.
func (o Options) printf(format string, args ...any) { _, _ = fmt.Fprintf(o.Out, format, args...) }
