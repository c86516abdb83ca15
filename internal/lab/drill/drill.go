// Package drill puts the engine through faults, and then checks that nothing was
// lost, doubled or wrongly believed.
//
// It runs the real program in real processes: dispatchers, workers, a web server
// and NATS, a private Postgres, and a fake provider, with a fault proxy
// on every connection between them. By a schedule drawn from a seed it kills
// them, freezes them, cuts and slows their connections and makes the provider
// fail. When the faults are over the system gets time to settle; then the checks
// read the database, the streams and the provider's own log.
package drill

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/twitter"
)

// ErrFailed is returned by [Run] when a check failed.
var ErrFailed = errors.New("the drill found faults")

// ErrUsage is wrapped by the error for options that can not be.
var ErrUsage = errors.New("the drill can not be run so")

// Options shape a drill.
type Options struct {
	Program string // path of the gorgone binary
	Dir     string // folder for everything the drill makes; made when missing. Empty: a new one among the temporary files
	Keep    bool   // keep Dir when all is well; otherwise it is kept after a failure only

	Provider    string // whose routes and bills the fake one has: a name of [twitter.Providers]
	Seed        uint64
	Tweets      int
	Duration    time.Duration // of the faults
	Settle      time.Duration // the most time to settle after them
	Workers     int
	Dispatchers int
	Nodes       int           // of NATS: 1 or 3
	Standby     bool          // Postgres has a synchronous standby
	Hosts       bool          // each process has a host of its own: see package hosts
	Latency     time.Duration // of a packet from one host to another, and a quarter at most on top
	Loss        float64       // share of the packets that are lost
	Rate        float64       // calls a second of the API key
	Every       time.Duration // real time between two looks at a tweet
	Refreshes   time.Duration // real time between two refreshes
	Faults      []string      // kinds of faults that happen; none: all
	Without     []string      // kinds of faults that are left out, to narrow down what went wrong

	Out io.Writer      // the report
	Log zerolog.Logger // of the drill itself
}

const (
	// speed is how much faster than real time tweets age.
	speed = 30

	// lease is the shortest that leaves a call its time: see lookup.MinLease.
	lease = 24 * time.Second

	// callTimeout and the rests of the circuit breaker are a fifth of those in earnest.
	callTimeout    = 2 * time.Second
	breakerRest    = 3 * time.Second
	breakerMaxRest = 12 * time.Second

	grace = 5 * time.Second

	// idsPerCall is also the size of a batch, so that little is in flight at a kill.
	idsPerCall = 50

	// startTime, stopTime and readTime bound the phases around the faults.
	startTime = 2 * time.Minute
	stopTime  = time.Minute
	readTime  = 2 * time.Minute
)

// billing is how the provider charges, by its list.
func (o Options) billing() engagement.Billing { return twitter.ListPrice(o.Provider) }

func (o Options) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(slices.Contains(twitter.Providers(), o.Provider), "provider %q: there are %s", o.Provider, strings.Join(twitter.Providers(), ", "))
	check(o.Tweets >= 100 && o.Tweets <= 1_000_000, "%d tweets: want 100 to 1,000,000", o.Tweets)
	check(o.Duration >= 5*time.Second && o.Duration <= 24*time.Hour, "duration %s: want 5s to 24h", o.Duration)
	check(o.Settle >= 10*time.Second, "settle %s: want 10s or more", o.Settle)
	check(o.Workers >= 1 && o.Workers <= 20 && o.Dispatchers >= 1 && o.Dispatchers <= 20, "%d workers, %d dispatchers: want 1 to 20 of each", o.Workers, o.Dispatchers)
	check(o.Nodes == 1 || o.Nodes == 3, "%d NATS nodes: want 1 or 3", o.Nodes)
	check(o.Latency >= 0 && o.Latency <= time.Second && o.Loss >= 0 && o.Loss <= 0.2, "latency %s, loss %g: want at most 1s and 0.2", o.Latency, o.Loss)
	check(o.Rate >= 1 && o.Rate <= 1000, "rate %g: want 1 to 1000 calls a second", o.Rate)
	check(o.Every >= 5*time.Second, "a look-up every %s: want 5s or more", o.Every)
	check(o.Refreshes >= 50*time.Millisecond, "a refresh every %s: want 50ms or more", o.Refreshes)
	for _, name := range slices.Concat(o.Faults, o.Without) {
		check(slices.Contains(faultNames(), name), "fault %s: there are %s", name, strings.Join(faultNames(), ", "))
	}
	for _, name := range []string{string(isolate), string(diskFull), leader, silent} {
		check(o.Hosts || !slices.Contains(o.Faults, name), "fault %s: there is one host, want --hosts", name)
	}
	check(o.Standby || !slices.Contains(o.Faults, string(promote)), "fault %s: there is no standby to promote, want --standby", promote)
	if need, have := float64(o.Tweets)/o.Every.Seconds(), 0.6*o.Rate*idsPerCall; need > have {
		faults = append(faults, fmt.Errorf("%d tweets every %s are %.0f tweets a second, and %g calls a second leave time to catch up after faults for %.0f: want fewer tweets, or a higher rate", o.Tweets, o.Every, need, o.Rate, have))
	}
	if len(faults) > 0 {
		return fmt.Errorf("%w: %w", ErrUsage, errors.Join(faults...))
	}
	return nil
}

// Run runs a drill and prints its report. The error is [ErrFailed] when a check
// failed, and any other when the drill itself could not be run.
func Run(ctx context.Context, o Options) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "gorgone-drill-"); err != nil {
			return fmt.Errorf("make the folder of the drill: %w", err)
		}
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return fmt.Errorf("find the folder of the drill: %w", err)
	}
	// Postgres may run as another user, who has to get through.
	if err := os.MkdirAll(filepath.Join(o.Dir, "logs"), 0o755); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make the folder of the drill: %w", err)
	}
	if err := os.Chmod(o.Dir, 0o755); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make the folder of the drill: %w", err)
	}
	report := newReport(o)
	defer func() {
		if err == nil && !o.Keep {
			_ = os.RemoveAll(o.Dir)
			return
		}
		report.printf("logs and database: %s\n", o.Dir)
	}()
	facts, err := play(ctx, o, report)
	if err != nil {
		return err
	}
	if err := facts.writeUnused(filepath.Join(o.Dir, "logs", "unused.log")); err != nil {
		return err
	}
	if !report.verdicts(facts) {
		return ErrFailed
	}
	return nil
}

// play runs the system through the faults, and returns what is known afterwards.
func play(ctx context.Context, o Options, report *report) (f *facts, err error) {
	w, err := newWorld(o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := w.close(); err == nil {
			err = e
		}
	}()
	starting, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("not started within %s", startTime))
	defer cancel()
	if err := w.start(starting); err != nil {
		return nil, fmt.Errorf("start the system: %w", err)
	}
	report.started(w)

	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	w.watch(watching)
	if err := w.warmUp(starting); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	plan := newPlan(o)
	w.massive = plan.massive
	if err := plan.write(filepath.Join(o.Dir, "logs", "plan.log")); err != nil {
		return nil, err
	}
	report.printf("%s of faults by plan %s\n", o.Duration, plan)
	w.faultsFrom = time.Now()
	refreshing, stopRefreshing := context.WithCancel(ctx)
	defer stopRefreshing()
	w.refresher.begin(refreshing)
	w.carryOut(ctx, plan)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	w.faultsTo = time.Now()
	report.printf("faults: %s\n", w.events.summary())

	stopRefreshing()
	w.settle(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	report.printf("settled for %s after the faults, %s; open then: %s\n", w.settledAt.Sub(w.faultsTo).Round(100*time.Millisecond), w.recovery(), w.open)
	if err := w.revive(ctx); err != nil {
		return nil, err
	}
	w.refresher.finish(ctx)
	w.openBreakers = w.awaitBreakers(ctx)
	w.samples.quiet(ctx, w)
	w.stopEngine()
	stopWatching()

	reading, cancel := context.WithTimeoutCause(ctx, readTime, fmt.Errorf("not read within %s", readTime))
	defer cancel()
	return w.facts(reading)
}
