// Package bench measures the engine against a ceiling that does not move with it: the
// bare statements, kept here, on the same database.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/devstack"
	"gorgone/internal/failure"
)

const (
	// speed makes the ten minutes between two look-ups pass so fast that more falls
	// due than the engine can do: under measureRefreshes the backlog tops itself up,
	// and nothing is written to do so.
	speed = 120

	// All tweets are in the first tier for the whole run. In a turn none falls due
	// again; under measureRefreshes each does after 5 s.
	tiersOnce  = "ultra_hot 1000h 900h"
	tiersAgain = "ultra_hot 1000h 10m"

	// dispatchEvery is the default, 5 s of real time.
	dispatchEvery = speed * 5 * time.Second

	settle = 10 * time.Second // at most, before refreshes are requested
)

// Options say what is measured.
type Options struct {
	Tweets  int           // due in each turn; at least 1,000
	Backlog int           // tweets that are due again and again while refreshes are measured; no fewer than Tweets are
	Rounds  int           // turns of each contender; at least 1
	Idle    float64       // share of the look-ups that find nothing new, 0 to 1
	Latency time.Duration // of the provider's answers
	Rate    float64       // calls a second that all workers share

	Duration  time.Duration // over which refreshes are requested; at least 1 s
	Refreshes int           // refreshes to request; at least 1

	Seed uint64 // of the tweets

	Baseline string // path of counters not to exceed by more than a tenth; "": none
	JSON     bool   // print the result as JSON

	Program string // path of the gorgone binary, which runs the processes
	Version string // shown in logs
	Out     io.Writer
	Log     zerolog.Logger
}

func (o Options) validate() error {
	switch {
	case o.Tweets < 1000 || o.Rounds < 1 || o.Duration < time.Second || o.Refreshes < 1:
		return failure.Usagef("want at least --tweets 1000, --rounds 1, --duration 1s and --refreshes 1")
	case !(o.Idle >= 0 && o.Idle <= 1):
		return failure.Usagef("--idle %g: must be 0 to 1", o.Idle)
	case o.Latency < 0 || !(o.Rate > 0):
		return failure.Usagef("want a --latency of at least 0s and a --rate above 0")
	}
	return nil
}

// bench is one run.
type bench struct {
	Options

	cfg     config.Config
	process *app.Process
	dir     string
	db      *app.Database
	queue   *app.Queue
	servers *devstack.Servers
	fail    context.CancelCauseFunc // ends the run, when one of its servers ended

	sql        *pgxpool.Pool
	postmaster int // process id

	nats, provider *child
	printed        io.Closer // what the provider prints
	wait           conc.WaitGroup

	first bool // no turn was taken yet

	ids  []string    // of all tweets, in the provider's order
	rows []uuid.UUID // of those that are due in a turn, in the same order
	zone uuid.UUID   // of those
}

// Run measures, and prints what it measured. It returns an error when a part of the
// engine failed, a message was dead-lettered, a refresh was not answered with counts, or
// a counter exceeds the baseline; how fast the machine is decides nothing.
func Run(ctx context.Context, cfg config.Config, o Options) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	var baseline counters
	if o.Baseline != "" {
		if baseline, err = readCounters(o.Baseline); err != nil {
			return failure.Usagef("--baseline: %w", err)
		}
	}
	dir, err := os.MkdirTemp("", "gorgone-bench-")
	if err != nil {
		return fmt.Errorf("make a data folder: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // Postgres may run as another user
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	b := &bench{Options: o, cfg: cfg, dir: dir, fail: fail, first: true, process: app.NewProcess("bench", o.Version, o.Log)}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.prepare(ctx); err != nil {
		return err
	}
	r, err := b.measure(ctx)
	if err != nil {
		return err
	}
	if err := b.report(r); err != nil {
		return err
	}
	if err := b.check(ctx, r); err != nil {
		return err
	}
	if o.Baseline == "" {
		return nil
	}
	return r.counters().within(baseline)
}

// results are all that a run measured.
type results struct {
	raw, rawHTTP, engine []turn
	refreshes            refreshes
	workerMemory         int64 // bytes, the most it ever used
	dispatcherMemory     int64
}

// measure gives each contender its turns, one after the other, and then requests
// refreshes.
func (b *bench) measure(ctx context.Context) (r results, err error) {
	// The engine's first look at a tweet differs from all later ones.
	if _, err := b.engineTurn(ctx, &r); err != nil {
		return r, err
	}
	for range b.Rounds {
		for _, c := range []struct {
			take func(context.Context, *results) (turn, error)
			into *[]turn
		}{{b.rawTurn, &r.raw}, {b.rawHTTPTurn, &r.rawHTTP}, {b.engineTurn, &r.engine}} {
			t, err := c.take(ctx, &r)
			if err != nil {
				return r, err
			}
			*c.into = append(*c.into, t)
		}
	}
	r.refreshes, err = b.measureRefreshes(ctx, &r)
	return r, err
}

// check returns what did not work.
func (b *bench) check(ctx context.Context, r results) error {
	depth, err := b.queue.Depth(ctx)
	if err != nil {
		return err
	}
	var faults []error
	if depth.DeadLetters > 0 {
		faults = append(faults, fmt.Errorf("%d messages were dead-lettered", depth.DeadLetters))
	}
	if n := len(r.refreshes.took); n != b.Refreshes {
		faults = append(faults, fmt.Errorf("%d of %d refreshes were not answered with counts", b.Refreshes-n, b.Refreshes))
	}
	if r.refreshes.done == 0 {
		faults = append(faults, errors.New("no batch was finished while refreshes were requested"))
	}
	return errors.Join(faults...)
}

// printf writes a result. A reader that went away is no error.
func (b *bench) printf(format string, args ...any) { _, _ = fmt.Fprintf(b.Out, format, args...) }
