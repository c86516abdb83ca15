package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/clock"
	"gorgone/internal/config"
	"gorgone/internal/failure"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/access"
	"gorgone/store/history"
	"gorgone/store/keys"
	"gorgone/store/pause"
	"gorgone/store/postgres"
	"gorgone/store/pushed"
	"gorgone/store/report"
	"gorgone/store/trial"
	"gorgone/store/untracked"
	"gorgone/twitter"
)

// connectTimeout is how long connecting to NATS, and making the streams, may take.
const connectTimeout = 15 * time.Second

// Database is an open database with its clock.
type Database struct {
	Schedule store.Schedule // of zones that name none
	Horizon  time.Duration  // age from which it looks no tweet up

	DB        *postgres.DB
	Clock     *clock.Clock
	Store     *store.Store
	History   *history.Archive
	Report    *report.Reader
	Access    *access.Store
	Pauses    *pause.Store
	Keys      *keys.Store // that clients bring of their own
	Trials    *trial.Store
	Untracked *untracked.Finder
	Pushed    *pushed.Writer
	Alerts    *alert.Manager // watches what Store writes
}

// OpenDatabase opens the database that the configuration names. Its schema must be
// there, and its clock stands at the time of opening until an App runs it.
func (p *Process) OpenDatabase(ctx context.Context, cfg config.Config) (_ *Database, err error) {
	if cfg.Database.URL == "" {
		return nil, failure.Usagef("no database: set DATABASE_URL")
	}
	policy, err := engagement.NewTierPolicy(cfg.Schedule.Tiers)
	if err != nil {
		return nil, failure.Usagef("GORGONE_TIERS: %w", err)
	}
	mode := map[string]postgres.ExecMode{"auto": postgres.ExecAuto, "yes": postgres.ExecPooled, "no": postgres.ExecPrepared}
	db, err := postgres.Connect(ctx, postgres.Config{
		URL:             string(cfg.Database.URL),
		MaxConns:        maxConns(cfg.Database),
		ExecMode:        mode[cfg.Database.Pooler],
		ApplicationName: "gorgone " + p.Name,
		OnTransaction:   p.Metrics.Transacted,
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	setting, err := db.ClockSetting(ctx)
	if err != nil {
		return nil, fmt.Errorf("%w (were the migrations run? see gorgone migrate)", err)
	}
	clk, err := clock.New(ctx, db, setting)
	if err != nil {
		return nil, err
	}
	alerts := alert.NewManager(db, clk)
	options := storeOptions(cfg, policy)
	if options.Schedule, err = scheduleOf(ctx, db, cfg); err != nil {
		return nil, err
	}
	options.Watcher = alerts
	archive := history.New(db, clk)
	trials := trial.New(db, clk, archive, trial.Options{Tiers: options.Policy, Schedule: options.Schedule, Dollars: options.Prices[options.Provider].Dollars})
	engine := store.New(db, clk, options)
	return &Database{
		Schedule: options.Schedule, Horizon: horizon(options.Schedule, cfg.Schedule.Tiers), DB: db, Clock: clk, Store: engine, Trials: trials,
		Untracked: untracked.New(db, clk, engine), Pushed: pushed.New(db, clk, engine),
		History: archive, Report: report.New(db, clk), Access: access.New(db, clk), Pauses: pause.New(db, clk), Keys: keys.New(db, clk), Alerts: alerts,
	}, nil
}

// Close closes the connections.
func (d *Database) Close() { d.DB.Close() }

// maxConns is how many connections a process may open.
func maxConns(cfg config.Database) int {
	if cfg.Chosen {
		return cfg.MaxConns
	}
	return min(cfg.MaxConns, postgres.DefaultConns(string(cfg.URL)))
}

// horizon is the age from which a schedule looks no tweet up.
func horizon(schedule store.Schedule, tiers []engagement.Step) time.Duration {
	if schedule == store.ScheduleAdaptive {
		return engagement.DefaultAdaptive(engagement.DefaultModel(), engagement.DefaultPrice).Until
	}
	return tiers[len(tiers)-1].Until
}

// scheduleOf returns the schedule of zones that name none. Where the configuration names
// none either, a budget or a target delay makes it the adaptive one, which spends it best;
// without them its price would be one that was not chosen. An installation from before this
// default keeps the tiers.
func scheduleOf(ctx context.Context, db *postgres.DB, cfg config.Config) (store.Schedule, error) {
	if kind := cfg.Schedule.Kind; kind != "" {
		return store.Schedule(kind), nil
	}
	if cfg.Cost.Day <= 0 && cfg.Cost.Month <= 0 && cfg.Schedule.TargetDelay <= 0 {
		return store.ScheduleTiers, nil
	}
	keeps, err := db.KeepsTiers(ctx)
	if err != nil || keeps {
		return store.ScheduleTiers, err
	}
	return store.ScheduleAdaptive, nil
}

// storeOptions say how rows are scheduled and what look-ups cost.
func storeOptions(cfg config.Config, policy engagement.Policy) store.Options {
	order := InOrder(cfg)
	return store.Options{
		Policy: policy, Price: cfg.Schedule.LookPrice, TargetDelay: cfg.Schedule.TargetDelay,
		GoneAfter: engagement.GoneAfter(cfg.Schedule.GoneAfter),
		GoneSpan:  engagement.GoneSpan(cfg.Schedule.GoneSpan),
		Forecast:  cfg.Schedule.Forecast, WriteForecasts: cfg.Schedule.Write, Provider: order.Name, Fallback: order.FallbackName, Prices: Prices(cfg),
		Budget: store.Budget{Day: cfg.Cost.Day, Month: cfg.Cost.Month, RefreshDay: cfg.Cost.RefreshDay},
	}
}

// Prices returns what each provider charges: its list price unless the configuration
// has another.
func Prices(cfg config.Config) store.Prices {
	prices := make(store.Prices)
	for _, name := range twitter.Providers() {
		prices[name] = twitter.ListPrice(name)
	}
	if cfg.Cost.TweetPrice > 0 {
		own := prices[cfg.Provider.Name]
		own.Dollars = cfg.Cost.TweetPrice
		prices[cfg.Provider.Name] = own
	}
	return prices
}

// Queue is the open queue with its connection.
type Queue struct {
	*queue.Queue

	Conn   *queue.Conn
	server string // as logs show it; without credentials
}

// ErrNoQueue is returned when the configuration names no NATS server.
var ErrNoQueue = errors.New("no queue: NATS_URL is not set")

// QueueOptions say what is special about an opening of the queue. The zero value
// connects to the servers that the configuration names.
type QueueOptions struct {
	Server     queue.Options // an embedded server, instead of the configured ones
	AdoptLease bool          // change the lease of existing streams to the configured one
}

// OpenQueue connects to NATS and makes the streams that are missing.
func (p *Process) OpenQueue(ctx context.Context, cfg config.Queue, o QueueOptions) (*Queue, error) {
	if cfg.URL == "" && o.Server.InProcess == nil {
		return nil, ErrNoQueue
	}
	connecting, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	server := o.Server
	if server.InProcess == nil {
		server.URL = string(cfg.URL)
	}
	server.CredentialsFile, server.Name, server.Log = cfg.Creds, "gorgone "+p.Name, p.Log
	conn, err := queue.Connect(connecting, server)
	if err != nil {
		return nil, err
	}
	q, err := queue.Open(connecting, conn, queue.Config{
		Prefix: cfg.Prefix, Lease: cfg.Lease, Replicas: cfg.Replicas, Memory: cfg.Memory, AdoptLease: o.AdoptLease,
	})
	if err != nil {
		conn.Close()
		return nil, err
	}
	name := conn.Server()
	if server.InProcess != nil {
		name = "in process"
	}
	return &Queue{q, conn, name}, nil
}

// Close closes the connection.
func (q *Queue) Close() { q.Conn.Close() }
