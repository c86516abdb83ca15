// Package app puts the engine together: the roles of a process with everything they
// need, in the order in which one part needs the other, and their stop in the
// opposite order.
package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"github.com/sourcegraph/conc/pool"
	"go.opentelemetry.io/otel/trace"

	"gorgone/dispatcher"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/metrics"
	"gorgone/worker"
	"gorgone/worker/lookup"
)

// Role is what a process does.
type Role string

// The roles.
const (
	Dispatcher Role = "dispatcher" // claims what is due, sends alerts, prunes
	Worker     Role = "worker"     // looks up what was dispatched
	Web        Role = "web"        // serves HTTP
)

// Options say what an App is made of, beside the configuration.
type Options struct {
	Process *Process // required
	Roles   []Role   // what Run does; none: only what its methods are asked for

	// Database, if any, is open already; the caller closes it after the App.
	Database *Database

	// Monitor, if any, serves already; the caller closes it after the App.
	Monitor *Monitor

	Queue QueueOptions
	Web   WebOptions // for the role Web
}

// App is a process with its roles. New opens everything, Run works until its context
// ends, Close closes what New has opened.
type App struct {
	cfg     config.Config
	process *Process
	log     zerolog.Logger
	roles   []Role

	monitor *Monitor
	db      *Database
	queue   *Queue
	lookups *Lookups
	keys    *keyring
	stops   stops
	streams streamsCheck
	tracer  trace.Tracer

	dispatcher *dispatcher.Dispatcher
	worker     *worker.Worker // nil without that role
	web        *server        // nil without that role

	closers
}

// New opens what the roles need. Its error is of kind failure.Usage when the
// configuration is at fault.
func New(ctx context.Context, cfg config.Config, o Options) (_ *App, err error) {
	if o.Process == nil {
		return nil, errors.New("app: no process")
	}
	a := &App{cfg: cfg, process: o.Process, log: o.Process.Log, roles: o.Roles, monitor: o.Monitor, db: o.Database}
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if a.runs(Web) {
		// First of all, so that a process whose address is taken does nothing.
		if a.web, err = listen(ctx, cfg.Web.Listen, o.Web, a.log); err != nil {
			return nil, err
		}
		a.add(a.web.close)
	}
	if a.monitor == nil {
		if a.monitor, err = o.Process.OpenMonitor(ctx, cfg.Monitor); err != nil {
			return nil, err
		}
		a.add(a.monitor.Close)
	}
	if err := a.open(ctx, o); err != nil {
		return nil, err
	}
	a.dispatcher = a.newDispatcher()
	if a.runs(Worker) {
		if a.worker, err = a.newWorker(ctx); err != nil {
			return nil, err
		}
	}
	if a.runs(Web) {
		if err := a.buildServer(o.Web); err != nil {
			return nil, err
		}
	}
	metrics.Watch(o.Process.Registry, metrics.Source{
		Schedule: a.db.Report.Stats, Depth: a.queue.Depth, Pool: a.db.DB.PoolUse, Paused: a.lookups.paused, Providers: a.lookups.Shared.Status,
	}, time.Now)
	return a, nil
}

// open opens what every role needs.
func (a *App) open(ctx context.Context, o Options) (err error) {
	if a.db == nil {
		if a.db, err = a.process.OpenDatabase(ctx, a.cfg); err != nil {
			return err
		}
		a.add(a.db.Close)
	}
	a.warnExposed(ctx)
	if a.queue, err = a.process.OpenQueue(ctx, a.cfg.Queue, o.Queue); err != nil {
		return err
	}
	a.add(a.queue.Close)
	a.streams.space = a.queue.CheckSpace
	if a.lookups, err = a.process.OpenLookups(ctx, InOrder(a.cfg), a.queue, a.db.Clock); err != nil {
		return err
	}
	a.add(a.lookups.Close)
	if a.keys, err = newKeyring(ctx, a.process, a.cfg, a.queue, a.db); err != nil {
		return err
	}
	a.add(a.keys.close)
	if a.stops, err = openStops(ctx, a.db, a.lookups.Shared, a.keys); err != nil {
		return err
	}
	a.tracer, err = a.process.openTracer(ctx, &a.closers)
	if a.cfg.Provider.Prefer == config.PreferCheaper {
		a.lookups.prices = Prices(a.cfg)
	}
	return err
}

// warnExposed logs what of the database lets others in. It stops nothing: an engine that
// stands still mends no right.
func (a *App) warnExposed(ctx context.Context) {
	list, err := a.db.DB.Exposed(ctx)
	if err != nil {
		a.log.Warn().Err(err).Msg("checking who else can reach the database failed")
	}
	for _, f := range list {
		if !f.OK {
			a.log.Error().Str("check", f.Check).Str("found", f.Detail).Str("fix", f.Fix).Msg("the database is exposed")
		}
	}
}

// Close closes what New has opened. Run must have returned.
func (a *App) Close() { a.close() }

func (a *App) runs(r Role) bool { return slices.Contains(a.roles, r) }

// Run runs the roles until ctx ends, and returns when all have stopped: nil, or what
// a role failed with.
func (a *App) Run(ctx context.Context) error {
	return a.live(ctx, func(ctx context.Context) error {
		leave, err := a.present()
		if err != nil {
			return err
		}
		defer leave()
		roles := pool.New().WithErrors()
		if a.runs(Dispatcher) {
			roles.Go(func() error { return a.dispatch(ctx) })
		}
		if a.runs(Worker) {
			roles.Go(func() error { a.worker.Run(ctx); return nil })
		}
		if a.runs(Web) {
			roles.Go(func() error { return a.serve(ctx) })
		}
		return roles.Wait()
	})
}

// DispatchOnce dispatches once, at most limit tweets (0: what the workers can take),
// and does the housekeeping, since where a cron job dispatches, no other process does.
func (a *App) DispatchOnce(ctx context.Context, limit int) (r dispatcher.Result, err error) {
	err = a.live(ctx, func(ctx context.Context) error {
		if r, err = a.dispatcher.DispatchOnce(ctx, limit); err != nil {
			return err
		}
		dispatcher.MaintainOnce(ctx, a.tables(), a.db.Clock.Now(), a.keep(), a.log)
		return nil
	})
	return r, err
}

// live does something while the process is ready and its clock runs. The clock stops
// after what goes by it.
func (a *App) live(ctx context.Context, do func(context.Context) error) error {
	name := a.process.Name
	a.monitor.running(a.checks())
	defer context.AfterFunc(ctx, a.monitor.stopping)()
	a.log.Info().Str("version", a.process.Version).Str("nats", a.queue.server).Dur("lease_ms", a.queue.Lease()).
		Str("provider", a.Provider().Name).Float64("calls_per_second", a.Provider().Rate).Msg(name + " started")
	var beside conc.WaitGroup
	timekeeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	beside.Go(func() { a.keepTime(timekeeping) })
	err := do(ctx)
	stop()
	beside.Wait()
	a.log.Info().Msg(name + " stopped")
	return err
}

// keepTime keeps the clock, and what is paused, in step with the database until ctx
// ends.
func (a *App) keepTime(ctx context.Context) {
	var beside conc.WaitGroup
	beside.Go(func() {
		a.stops.pauses.Run(ctx, func(err error) {
			if err != nil {
				a.log.Warn().Err(err).Msg("cannot read pause state")
			}
		})
	})
	beside.Go(func() { a.keys.follow(ctx) })
	a.db.Clock.Run(ctx, func(err error) { a.log.Warn().Err(err).Msg("reading the database's clock failed") })
	beside.Wait()
}

// Database returns the database, whose clock runs while Run does.
func (a *App) Database() *Database { return a.db }

// Queue returns the queue.
func (a *App) Queue() *Queue { return a.queue }

// Lookups returns the providers.
func (a *App) Lookups() *Lookups { return a.lookups }

// Keys returns how the keys of clients do.
func (a *App) Keys(ctx context.Context) ([]KeyStatus, error) { return a.keys.status(ctx) }

// Provider returns the provider that is asked first.
func (a *App) Provider() *Provider { return a.lookups.Providers[0] }

// Progress returns what the worker has done so far; nothing without that role.
func (a *App) Progress() worker.Progress {
	if a.worker == nil {
		return worker.Progress{}
	}
	return a.worker.Progress()
}

// leaseError is returned when a claim may end before a look-up is written.
func (a *App) leaseError() error {
	least := lookup.MinLease(a.cfg.Provider.Timeout)
	if a.queue.Lease() >= least {
		return nil
	}
	return failure.Usagef("the lease is %s, and calls that may take %s (TWITTER_TIMEOUT) need %s: set a longer one with GORGONE_LEASE and gorgone migrate", a.queue.Lease(), a.cfg.Provider.Timeout, least)
}
