// Package scale builds databases of several sizes and measures what the engine, its pages
// and its upkeep cost on each, so that one sees what grows, and with what.
package scale

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/failure"
)

// Options say what is built and measured.
type Options struct {
	Tracked []int         // tracked tweets of each database, at least 2,000; one is built, measured and removed after the other
	Points  float64       // mean points of history a tweet, 1 to 100
	Dir     string        // where databases and results are kept; what is there already is gone on with
	Keep    bool          // keep the databases
	Limit   time.Duration // of the whole run, which then goes on when it is started again
	Load    time.Duration // over which refreshes are requested; at least 1 s
	Check   bool          // fail when a counter shows that the hot path or a page grows
	JSON    bool          // print JSON

	Program string // path of the gorgone binary, which runs the roles
	Version string // shown in logs
	Out     io.Writer
	Log     zerolog.Logger

	chunk int // tweets that are copied in one transaction; 0: copyTweets
}

func (o Options) validate() error {
	switch {
	case len(o.Tracked) == 0 || slices.Min(o.Tracked) < 2000:
		return failure.Usagef("--tracked: want numbers of tweets, each 2000 or more")
	case !(o.Points >= 1 && o.Points <= 100):
		return failure.Usagef("--points %g: must be 1 to 100", o.Points)
	case o.Load < time.Second || o.Limit < time.Second:
		return failure.Usagef("want a --load and a --limit of at least 1s")
	case o.Dir == "":
		return failure.Usagef("--dir: name a folder")
	}
	return nil
}

// Run builds and measures a database of each size, and prints the figures of all sizes that
// the folder has results of. What was done before, in a run that ended early, is not done
// again.
func Run(ctx context.Context, cfg config.Config, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Limit, fmt.Errorf("the limit of %s is over; start it again to go on, or give a longer --limit", o.Limit))
	defer cancel()
	if err := os.MkdirAll(o.Dir, 0o755); err != nil { //nolint:gosec // Postgres may run as another user
		return fmt.Errorf("make the folder of --dir: %w", err)
	}
	slices.Sort(o.Tracked)
	for _, n := range slices.Compact(o.Tracked) {
		s := &size{Options: o, cfg: cfg, dir: filepath.Join(o.Dir, strconv.Itoa(n)), process: app.NewProcess("scale", o.Version, o.Log)}
		if err := s.run(ctx, n); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("%d tracked tweets: %w", n, err)
		}
	}
	results, err := readResults(o.Dir)
	if err != nil {
		return err
	}
	if err := o.report(results); err != nil {
		return err
	}
	if !o.Check {
		return nil
	}
	var faults []error
	for _, fault := range growth(results) {
		faults = append(faults, errors.New(fault))
	}
	return errors.Join(faults...)
}

// stage is a part of a run that is not done again once it is recorded.
type stage struct {
	name string
	do   func(context.Context) error
}

// run builds and measures one database.
func (s *size) run(ctx context.Context, tracked int) (err error) {
	if s.result, err = openResult(s.dir+".json", tracked, s.Points); err != nil {
		return err
	}
	s.population = newPopulation(tracked, s.Points, s.result.Now)
	stages := []stage{
		{"schema", s.makeSchema},
		{"rows", s.copyRows},
		{"indexes", s.finish},
		{"roles", s.measureRoles},
		{"pages", s.measurePages},
		{"claims", s.measureClaims},
		{"all due", s.measureAllDue},
		{"refreshes", s.measureRefreshes},
		{"retention", s.measureRetention},
		{"partitions", s.measurePartition},
		{"another shape", s.disown},
		{"adoption", s.measureAdoption},
	}
	left := slices.DeleteFunc(stages, func(st stage) bool { return s.result.has(st.name) })
	if len(left) == 0 {
		return nil
	}
	if err := s.checkDisk(); err != nil {
		return err
	}
	if err := s.open(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	for _, st := range left {
		began := time.Now()
		s.Log.Info().Int("tracked", tracked).Str("stage", st.name).Msg("begun")
		if err := st.do(ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", st.name, err), s.close())
		}
		if err := s.result.done(st.name, time.Since(began)); err != nil {
			return errors.Join(err, s.close())
		}
	}
	if err := s.close(); err != nil || s.Keep {
		return err
	}
	return s.remove(ctx)
}
