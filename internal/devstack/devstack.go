// Package devstack runs the whole engine on one machine out of one data folder, as
// "gorgone up" does: a private Postgres, an embedded NATS, all roles and, where no
// provider is configured, a demonstration with a fake one and a clock of its own.
package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"

	"gorgone/internal/app"
	"gorgone/internal/clock"
	"gorgone/internal/config"
	"gorgone/internal/devstack/runfile"
	"gorgone/internal/failure"
	"gorgone/internal/postgres"
	pg "gorgone/store/postgres"
	"gorgone/web/auth"
)

const (
	// logFile gets the log while the progress is shown on a terminal.
	logFile = "gorgone.log"

	// sessionsFile keeps who is signed in to the dashboard.
	sessionsFile = "sessions.json"

	lockTries = 10
	lockEvery = 20 * time.Millisecond
)

// Options say how a stack is run.
type Options struct {
	DataDir string
	Reset   bool // delete first what a stack keeps in the data folder

	Demo   Demo    // the demonstration, where no provider is configured
	Shaped bool    // Demo was asked for, and must not differ from what the folder holds
	Speed  float64 // how many times faster than real time the demonstration runs; 1: real time

	Listen string // address of the web server; "": the configured one, or another port when that is taken

	Version  string
	Log      zerolog.Logger
	Terminal bool      // show the progress on Out, and log to a file in the data folder
	Out      io.Writer // of the banner and the progress; a terminal only
}

// Stack is everything that "gorgone up" runs. Start opens it, Run works until its
// context ends, Close closes it.
type Stack struct {
	o   Options
	cfg config.Config // with the addresses of what was started
	log zerolog.Logger

	servers   *Servers
	monitor   *app.Monitor
	db        *app.Database
	setting   clock.Setting
	collector *Collector // nil with a real provider
	app       *app.App

	started time.Time
	closers []func()
}

// Start takes the data folder, and starts and opens everything in the order in which
// one part needs the other. Nothing is looked up before Run.
func Start(ctx context.Context, cfg config.Config, o Options) (_ *Stack, err error) {
	s := &Stack{o: o, cfg: cfg, log: o.Log, started: time.Now().UTC()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.takeDataDir(ctx); err != nil {
		return nil, err
	}
	if o.Terminal {
		if err := s.logToFile(); err != nil {
			return nil, err
		}
	}
	process := app.NewProcess("up", o.Version, s.log)
	if s.monitor, err = process.OpenMonitor(ctx, cfg.Monitor); err != nil {
		return nil, err
	}
	s.onClose(s.monitor.Close)
	if s.servers, err = StartServers(ctx, &s.cfg, o.DataDir, s.log); err != nil {
		return nil, err
	}
	s.onClose(s.servers.Close)
	if _, err := pg.Migrate(ctx, string(cmp.Or(s.cfg.Database.MigrateURL, s.cfg.Database.URL))); err != nil {
		return nil, err
	}
	demonstrates := cfg.Provider.Key == ""
	if s.setting, err = setClock(ctx, s.cfg.Database, s.servers.Private(), demonstrates, o.Speed); err != nil {
		return nil, err
	}
	if s.db, err = process.OpenDatabase(ctx, s.cfg); err != nil {
		return nil, err
	}
	s.onClose(s.db.Close)
	if err := s.keepApart(ctx, demonstrates); err != nil {
		return nil, err
	}
	if demonstrates {
		if err := s.startDemo(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.openApp(ctx, process); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Stack) onClose(f func()) { s.closers = append(s.closers, f) }

// Close closes everything, and leaves the data folder. Run must have returned.
func (s *Stack) Close() {
	for _, f := range slices.Backward(s.closers) {
		f()
	}
	s.closers = nil
}

// openApp opens the roles. The web server also knows the token in the data folder.
func (s *Stack) openApp(ctx context.Context, process *app.Process) error {
	o := app.Options{
		Process: process, Roles: []app.Role{app.Dispatcher, app.Worker, app.Web},
		Database: s.db, Monitor: s.monitor, Queue: s.servers.Queue,
		Web: app.WebOptions{AnyPort: s.o.Listen == "", LocalLogin: true, Sessions: filepath.Join(s.o.DataDir, sessionsFile)},
	}
	s.cfg.Web.Listen = cmp.Or(s.o.Listen, s.cfg.Web.Listen)
	token, err := runfile.MakeSecret(s.o.DataDir, runfile.TokenName)
	if err != nil {
		return err
	}
	entry, err := auth.TokenEntry("local", auth.Scopes(), token)
	if err != nil {
		return fmt.Errorf("the token in %s: %w", filepath.Join(s.o.DataDir, runfile.TokenName), err)
	}
	o.Web.Tokens = []string{entry}
	if s.cfg.Provider.WebhookKey(s.cfg.Web) == "" {
		if o.Web.WebhookKey, err = runfile.MakeSecret(s.o.DataDir, runfile.WebhookKeyName); err != nil {
			return err
		}
	}
	if s.app, err = app.New(ctx, s.cfg, o); err != nil {
		return err
	}
	s.onClose(s.app.Close)
	return nil
}

// App returns the roles of the stack.
func (s *Stack) App() *app.App { return s.app }

// Collector returns what tracks the tweets of the demonstration; nil with a real
// provider.
func (s *Stack) Collector() *Collector { return s.collector }

// Run runs everything until ctx ends, which is no error, or the private Postgres does.
// While it runs other commands find the stack.
func (s *Stack) Run(ctx context.Context) error {
	if err := s.describe().Write(s.o.DataDir); err != nil {
		return err
	}
	defer runfile.Remove(s.o.DataDir) //nolint:errcheck // a left-over file names a dead process
	if err := s.banner(); err != nil {
		return err
	}
	running, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	context.AfterFunc(running, func() { s.log.Info().Msg("stopping") })
	// What shows and stores the time goes on until the roles have stopped.
	late, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var tasks conc.WaitGroup
	tasks.Go(func() {
		select {
		case <-s.servers.Died():
			fail(errors.New("the private Postgres ended; its log is in " + postgresDir(s.o.DataDir)))
		case <-running.Done():
		}
	})
	if s.collector != nil {
		tasks.Go(func() {
			s.collector.Run(running, func(err error) { s.log.Error().Err(err).Msg("collecting tweets failed") })
		})
	}
	if !s.setting.Real() {
		tasks.Go(func() { s.stampClock(late) })
	}
	tasks.Go(func() { s.watch(late) })
	err := s.app.Run(running)
	cause := context.Cause(running)
	fail(nil)
	stop()
	tasks.Wait()
	s.log.Info().Msg("stopped")
	if ctx.Err() != nil {
		return nil // as asked
	}
	return errors.Join(cause, err)
}

// describe says how other commands find the stack.
func (s *Stack) describe() runfile.File {
	f := runfile.File{
		PID: os.Getpid(), Started: s.started, DatabaseURL: string(s.cfg.Database.URL), NATSURL: string(s.cfg.Queue.URL),
		RefresherURL: s.servers.RefresherURL, WebURL: s.app.WebURL(), Rate: s.app.Provider().Rate,
		Settings: runfile.SettingsOf(s.cfg),
	}
	if s.collector != nil {
		f.ProviderURL, f.ProviderKey = s.cfg.Provider.URL, config.DemoKey
	}
	return f
}

// takeDataDir takes the data folder until Close, and empties it if so asked.
func (s *Stack) takeDataDir(ctx context.Context) error {
	dir := s.o.DataDir
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // Postgres may run as another user; what is secret in it has modes of its own
		return failure.Usagef("--data-dir: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, runfile.LockName)); s.o.Reset && errors.Is(err, fs.ErrNotExist) {
		for _, name := range []string{"postgres", "nats", demoFile} {
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				return failure.Usagef("--reset: %s has a %s that gorgone did not make; nothing was deleted", dir, name)
			}
		}
	}
	lock, err := lockDataDir(ctx, dir)
	if err != nil {
		return failure.Usagef("%w; stop it, or use another --data-dir", err)
	}
	s.onClose(func() { lock.Close() })
	if s.o.Reset {
		if err := s.reset(ctx); err != nil {
			return err
		}
	}
	if err := runfile.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("take the data folder: %w", err)
	}
	return nil
}

// lockDataDir tries for a moment: commands that look whether a stack runs hold the lock
// that long.
func lockDataDir(ctx context.Context, dir string) (io.Closer, error) {
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for tries := 1; ; tries++ {
		lock, err := runfile.Lock(dir)
		if !errors.Is(err, runfile.ErrLocked) || tries > lockTries {
			return lock, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// reset deletes the data folder's content.
func (s *Stack) reset(ctx context.Context) error {
	if s.cfg.Database.URL != "" {
		return failure.Usagef("--reset deletes the data folder's own database only; DATABASE_URL is set")
	}
	if err := postgres.Remove(ctx, postgresDir(s.o.DataDir), s.log); err != nil {
		return err
	}
	for _, name := range []string{"nats", demoFile, runfile.Name, logFile, sessionsFile} {
		if err := os.RemoveAll(filepath.Join(s.o.DataDir, name)); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

func (s *Stack) logToFile() error {
	f, err := os.OpenFile(filepath.Join(s.o.DataDir, logFile), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	s.onClose(func() { _ = f.Close() })
	s.log = app.NewLogger(f, s.cfg.Log)
	return nil
}

// keepApart refuses to ask a fake provider about real tweets, which would find them all
// missing, and a real provider about made-up ones, which would be billed.
func (s *Stack) keepApart(ctx context.Context, demonstrates bool) error {
	_, err := os.Stat(filepath.Join(s.o.DataDir, demoFile))
	switch {
	case err == nil && !demonstrates:
		return failure.Usagef("%s holds a demonstration; to ask a real provider use another --data-dir, or --reset", s.o.DataDir)
	case err == nil || !demonstrates:
		return nil
	}
	zones, err := s.db.Store.Zones(ctx)
	if err != nil {
		return err
	}
	if len(zones) > 0 {
		return failure.Usagef("the database has zones that are not a demonstration's: set TWITTER_API_KEY to go on with them, or use another --data-dir")
	}
	return nil
}
