package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sourcegraph/conc"
	"github.com/spf13/cobra"

	"gorgone/internal/clock"
	"gorgone/internal/postgres"
	"gorgone/store"
	"gorgone/web/auth"
)

// upOptions are the flags of gorgone up.
type upOptions struct {
	demo
	speed  float64
	reset  bool
	listen string
	shaped bool // the demonstration is asked for with flags of its own
}

func newUp(a *app) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run everything on this machine",
		Long: `Run NATS, Postgres, a dispatcher, a worker and the web server in one process,
with all data in one folder. Ctrl-C stops it; started again it goes on where it was.

Without TWITTER_API_KEY it is a demonstration: tweets are made up, and a double
of the provider answers for them over HTTP. --replay makes them from a file of
real retweet cascades; --speed lets their time run faster, so that a tweet's
twelve hours pass in minutes. With a key, the real provider is asked, and you
begin by tracking tweets (gorgone track --new-zone NAME ID).

With DATABASE_URL or NATS_URL set, it uses those instead of its own.`,
		Example: `  gorgone up
  gorgone up --speed 60
  gorgone up --speed 600 --replay cascades.tsv.gz --reset`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.speed < 0.1 || o.speed > 3600 {
				return usageError("--speed %g: want 0.1 to 3600", o.speed)
			}
			if o.Tweets < 1 || o.Tweets > 1_000_000 || o.Spread < 0 {
				return usageError("--tweets %d --spread %s: want 1 to 1,000,000 tweets over no negative time", o.Tweets, o.Spread)
			}
			if o.Replay != "" {
				if _, err := os.Stat(o.Replay); err != nil {
					return usageError("--replay: %w", err)
				}
			}
			for _, name := range []string{"tweets", "seed", "spread", "replay"} {
				o.shaped = o.shaped || cmd.Flags().Changed(name)
			}
			return a.up(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.Float64Var(&o.speed, "speed", 1, "how many times faster than real time the demonstration runs (0.1 to 3600)")
	f.StringVar(&o.Replay, "replay", "", "file of real retweet cascades to replay (default: synthetic tweets)")
	f.IntVar(&o.Tweets, "tweets", 300, "number of tweets of the demonstration")
	f.DurationVar(&o.Spread, "spread", 6*time.Hour, "time over which they are posted")
	f.Uint64Var(&o.Seed, "seed", 1, "seed of what is drawn by chance")
	f.StringVar(&o.listen, "listen", "", "address to serve HTTP on; must be free (default: GORGONE_WEB_LISTEN, or another port when that is taken)")
	f.BoolVar(&o.reset, "reset", false, "delete what gorgone keeps in the data folder first")
	return cmd
}

// up runs everything until ctx ends, which is no error, or something fails.
func (a *app) up(ctx context.Context, o upOptions) error {
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	err := a.live(running, fail, o)
	if ctx.Err() != nil {
		a.log.Debug().Err(err).Msg("stopped when asked to")
		return nil
	}
	return err
}

// live runs everything until ctx ends, and returns why it did.
func (a *app) live(ctx context.Context, fail context.CancelCauseFunc, o upOptions) error {
	var open resources
	defer open.close()
	if err := a.takeDataDir(ctx, o.reset, &open); err != nil {
		return err
	}
	terminal := isTerminal(a.errOut)
	if terminal {
		if err := a.logToFile(&open); err != nil {
			return err
		}
	}
	m, err := a.newMonitor(ctx)
	if err != nil {
		return err
	}
	open.add(m.serve())
	h, err := a.openHouse(ctx, o, fail, &open)
	if err != nil {
		return err
	}
	m.running(checks(h.parts))
	defer context.AfterFunc(ctx, m.stopping)()
	if err := h.running.write(a.dataDir); err != nil {
		return err
	}
	defer removeRunning(a.dataDir) //nolint:errcheck // a left-over file names a dead process
	a.greet(h, o, terminal)

	if err := a.runHouse(ctx, h, terminal); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// takeDataDir makes the data folder ours until the resources are closed, and
// empties it if so asked.
func (a *app) takeDataDir(ctx context.Context, reset bool, open *resources) error {
	if err := os.MkdirAll(a.dataDir, 0o755); err != nil { //nolint:gosec // Postgres may run as another user; what is secret in it has modes of its own
		return usageError("--data-dir: %w", err)
	}
	if _, err := os.Stat(filepath.Join(a.dataDir, lockFile)); reset && errors.Is(err, fs.ErrNotExist) {
		for _, name := range []string{"postgres", "nats", demoFile} {
			if _, err := os.Stat(filepath.Join(a.dataDir, name)); err == nil {
				return usageError("--reset: %s has a %s that gorgone did not make; nothing was deleted", a.dataDir, name)
			}
		}
	}
	lock, err := lockDataDir(a.dataDir, syscall.LOCK_EX)
	for tries := 0; errors.Is(err, errLocked) && tries < 10; tries++ {
		// Commands that look whether it runs hold the lock for a moment.
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		lock, err = lockDataDir(a.dataDir, syscall.LOCK_EX)
	}
	if err != nil {
		return usageError("%w; stop it, or use another --data-dir", err)
	}
	open.add(func() { lock.Close() })
	if reset {
		if err := a.reset(ctx); err != nil {
			return err
		}
	}
	if err := removeRunning(a.dataDir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take the data folder: %w", err)
	}
	return nil
}

// reset deletes the data folder's content.
func (a *app) reset(ctx context.Context) error {
	if a.cfg.Database.URL != "" {
		return usageError("--reset deletes the data folder's own database only; DATABASE_URL is set")
	}
	if err := postgres.Remove(ctx, a.postgresDir(), a.log); err != nil {
		return err
	}
	for _, name := range []string{"nats", demoFile, runningFile, logFile} {
		if err := os.RemoveAll(filepath.Join(a.dataDir, name)); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

func (a *app) postgresDir() string { return filepath.Join(a.dataDir, "postgres") }

func (a *app) logToFile(open *resources) error {
	path := filepath.Join(a.dataDir, logFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	open.add(func() { _ = f.Close() })
	a.log = newLogger(f, a.cfg.Log)
	return nil
}

// house is all that runs in gorgone up.
type house struct {
	parts
	running   running
	collector *collector // nil with a real provider
	listener  net.Listener
	local     *auth.Local // nil: others can reach the server
	login     string      // URL of the dashboard, good for one login
	setting   clock.Setting
}

// openHouse starts and opens everything, in the order in which one needs the
// other.
func (a *app) openHouse(ctx context.Context, o upOptions, fail context.CancelCauseFunc, open *resources) (h house, err error) {
	h.running = running{PID: os.Getpid(), Started: time.Now().UTC()}
	own, err := a.startPostgres(ctx, fail, open)
	if err != nil {
		return h, err
	}
	options, err := a.startNATS(open)
	if err != nil {
		return h, err
	}
	if _, err := store.Migrate(ctx, string(cmp.Or(a.cfg.Database.MigrateURL, a.cfg.Database.URL))); err != nil {
		return h, err
	}
	demonstrates := a.cfg.Provider.Key == ""
	if h.setting, err = a.setClock(ctx, own, demonstrates, o.speed); err != nil {
		return h, err
	}
	if h.database, err = a.openDatabase(ctx, "up", open); err != nil {
		return h, err
	}
	if err := a.keepApart(ctx, demonstrates, h.database); err != nil {
		return h, err
	}
	if h.messaging, err = a.openQueueWith(ctx, options, a.queueConfig(), "up", open); err != nil {
		return h, err
	}
	if demonstrates {
		if h.collector, err = a.startDemo(ctx, o.demo, o.shaped, h.database, open); err != nil {
			return h, err
		}
		h.running.ProviderURL, h.running.ProviderKey = a.cfg.Provider.URL, demoKey
	}
	if h.lookups, err = a.openLookups(ctx, h.messaging, h.clock, open); err != nil {
		return h, err
	}
	if h.stops, err = openStops(ctx, h.database, h.sources); err != nil {
		return h, err
	}
	if h.tracer, err = a.openTracer(ctx, "up", open); err != nil {
		return h, err
	}
	a.watchState(h.parts)
	h.running.Rate = h.provider.rate
	if o.listen != "" {
		a.cfg.Web.Listen = o.listen
	}
	if h.listener, err = a.listen(ctx, o.listen == ""); err != nil {
		return h, err
	}
	open.add(func() { _ = h.listener.Close() })
	h.running.WebURL = "http://" + h.listener.Addr().String()
	if h.local, h.login, err = a.localLogin(h.listener.Addr(), h.running.WebURL); err != nil {
		return h, err
	}
	h.running.DatabaseURL, h.running.NATSURL = string(a.cfg.Database.URL), string(a.cfg.Queue.URL)
	return h, nil
}

// keepApart refuses to ask a double about real tweets, which would find them all
// missing, and a real provider about made-up ones, which would be billed.
func (a *app) keepApart(ctx context.Context, demonstrates bool, d database) error {
	_, err := os.Stat(filepath.Join(a.dataDir, demoFile))
	switch {
	case err == nil && !demonstrates:
		return usageError("%s holds a demonstration; to ask a real provider use another --data-dir, or --reset", a.dataDir)
	case err == nil || !demonstrates:
		return nil
	}
	zones, err := d.store.Zones(ctx)
	if err != nil {
		return err
	}
	if len(zones) > 0 {
		return usageError("the database has zones that are not a demonstration's: set TWITTER_API_KEY to go on with them, or use another --data-dir")
	}
	return nil
}

// runHouse runs all roles until ctx ends.
func (a *app) runHouse(ctx context.Context, h house, terminal bool) error {
	w, err := a.newWorker(ctx, h.parts)
	if err != nil {
		return err
	}
	s, err := a.newLocalServer(h.parts, h.local)
	if err != nil {
		return err
	}
	leave, err := a.attend(h.parts, w.Progress, "dispatcher", "worker", "web")
	if err != nil {
		return err
	}
	defer leave()
	// The clock keeps running until the roles that go by it have stopped.
	timekeeping, stopTime := context.WithCancel(context.WithoutCancel(ctx))
	defer stopTime()
	var beside, roles conc.WaitGroup
	beside.Go(func() { a.keepTime(timekeeping, h.parts) })
	if !h.setting.Real() {
		beside.Go(func() { a.stampClock(timekeeping, h) })
	}
	beside.Go(func() { a.watch(timekeeping, h, w.Progress, terminal) })
	roles.Go(func() { a.dispatch(ctx, h.parts) })
	roles.Go(func() { w.Run(ctx) })
	roles.Go(func() {
		if err := s.run(ctx, h.listener); err != nil {
			a.log.Error().Err(err).Msg("the web server ended")
		}
	})
	if h.collector != nil {
		roles.Go(func() {
			h.collector.run(ctx, func(err error) { a.log.Error().Err(err).Msg("collector") })
		})
	}
	<-ctx.Done()
	a.log.Info().Msg("stopping")
	roles.Wait()
	stopTime()
	beside.Wait()
	a.log.Info().Msg("stopped")
	return nil
}
