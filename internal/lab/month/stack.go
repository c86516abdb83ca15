package month

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/devstack"
	"gorgone/internal/lab/enginetime"
	"gorgone/internal/lab/proc"
	"gorgone/internal/postgres"
	pg "gorgone/store/postgres"
	"gorgone/twitter/fakeprovider"
	"gorgone/web/auth"
)

const (
	startWithin = time.Minute
	tweetPrice  = 0.00015 // dollars
)

// run is a run of the engine, and what surrounds it.
type run struct {
	Options

	cfg     config.Config
	process *app.Process
	logs    *os.File // of the roles

	begin    time.Time // engine time
	boundary time.Time // the end of a month, two thirds into the run

	population *fakeprovider.Population

	server    *postgres.Server
	sql       *pgxpool.Pool // for samples and checks, which do not trust the store
	db        *app.Database
	collector *devstack.Collector
	provider  *fakeprovider.Server
	billed    *bills
	hook      *webhook
	traffic   *traffic
	roles     []*proc.Role
	monitors  map[string]string // address of the pages of a role
	natsPages string

	samples    []sample
	statements statements
}

func newRun(cfg config.Config, o Options) *run {
	// The month ends two thirds into the run: what lasts three days is there by then.
	month := time.Now().UTC()
	boundary := time.Date(month.Year(), month.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	return &run{
		Options: o, cfg: cfg, process: app.NewProcess("month", o.Version, o.Log), monitors: make(map[string]string),
		boundary: boundary, begin: boundary.Add(-time.Duration(o.Days) * day * 2 / 3).Truncate(time.Hour),
	}
}

// real is how long some engine time takes.
func (r *run) real(d time.Duration) time.Duration {
	return time.Duration(float64(d) / r.speed())
}

// start starts everything, in the order in which one needs the other.
func (r *run) start(ctx context.Context) (err error) {
	if r.logs, err = os.OpenFile(filepath.Join(r.Dir, "logs", "roles.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	if err := r.startPostgres(ctx); err != nil {
		return err
	}
	if _, err := pg.Migrate(ctx, r.server.URL()); err != nil {
		return err
	}
	demo := devstack.Demo{Tweets: r.tweets(), Seed: r.Seed, Spread: time.Duration(r.Days) * day, Replay: r.Replay, Start: r.begin, Young: true}
	if r.population, err = demo.NewPopulation(); err != nil {
		return err
	}
	if err := r.openDatabase(ctx, 1); err != nil {
		return err
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	env, err := r.startNATS(ctx)
	if err != nil {
		return err
	}
	// What was made so far took no days.
	r.db.Close()
	if err := r.openDatabase(ctx, r.speed()); err != nil {
		return err
	}
	if err := r.startProvider(ctx); err != nil {
		return err
	}
	return r.startRoles(ctx, env)
}

// startPostgres starts the private server with what counts the statements.
func (r *run) startPostgres(ctx context.Context) (err error) {
	o := postgres.Options{DataDir: filepath.Join(r.Dir, "postgres"), Log: r.Log}
	if r.server, err = postgres.Start(ctx, o); err != nil {
		return err
	}
	if r.sql, err = pgxpool.New(ctx, r.server.URL()); err != nil {
		return err
	}
	var there bool
	if err := r.sql.QueryRow(ctx, `select exists (select from pg_available_extensions where name = 'pg_stat_statements')`).Scan(&there); err != nil {
		return fmt.Errorf("look for pg_stat_statements: %w", err)
	}
	if !there {
		return errors.New("this Postgres lacks pg_stat_statements: install its contrib package")
	}
	if err := r.exec(ctx, `alter system set shared_preload_libraries = 'pg_stat_statements'`); err != nil {
		return err
	}
	r.sql.Close()
	r.sql = nil
	if err := r.server.Stop(); err != nil {
		return err
	}
	if r.server, err = postgres.Start(ctx, o); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(r.server.URL())
	if err != nil {
		return err
	}
	config.ConnConfig.RuntimeParams["application_name"] = sampler
	if r.sql, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return err
	}
	return r.exec(ctx, `create schema lab`, `create extension pg_stat_statements schema lab`,
		`alter system set pg_stat_statements.track_utility = off`, `select pg_reload_conf()`)
}

// sampler is what the connections of the samples are called.
const sampler = "month samples"

func (r *run) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if _, err := r.sql.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%.60s: %w", sql, err)
		}
	}
	return nil
}

// openDatabase has engine time begin, at a speed, and opens the database by it.
func (r *run) openDatabase(ctx context.Context, speed float64) error {
	if err := enginetime.Begin(ctx, r.server.URL(), sampler, speed, func(time.Time) time.Time { return r.begin }); err != nil {
		return err
	}
	r.cfg.Database = config.Database{URL: config.Secret(r.server.URL()), MaxConns: 4, Chosen: true, Pooler: "no"}
	if err := r.cfg.Schedule.Tiers.Decode(tiers); err != nil {
		return err
	}
	var err error
	if r.db, err = r.process.OpenDatabase(ctx, r.cfg); err != nil {
		return err
	}
	r.collector, err = devstack.NewCollector(ctx, r.population, r.db)
	return err
}

// startProvider starts the fake provider, of which the tweets are posted through the run.
func (r *run) startProvider(ctx context.Context) (err error) {
	r.billed = newBills()
	if r.provider, err = fakeprovider.NewServer(fakeprovider.Config{
		Population: r.population, Now: r.db.Clock.Now, Key: config.DemoKey, Latency: 40 * time.Millisecond, Jitter: 40 * time.Millisecond,
		Seed: r.Seed, LogSize: 1, Log: r.billed,
	}); err != nil {
		return err
	}
	r.cfg.Provider.URL, err = r.provider.Listen(ctx, "")
	return err
}

// prepare brings in old history, rules, a webhook, and what zones may spend.
func (r *run) prepare(ctx context.Context) (err error) {
	if err := r.seedHistory(ctx); err != nil {
		return err
	}
	if r.hook, err = startWebhook(ctx); err != nil {
		return err
	}
	if _, err := r.db.Alerts.AddWebhook(ctx, alert.Webhook{URL: r.hook.url, Secret: alert.NewSecret(), Format: alert.FormatJSON, Enabled: true}); err != nil {
		return err
	}
	for _, rule := range []engagement.AlertRule{
		{Kind: engagement.AlertVelocity, Threshold: 2000, Window: time.Hour, Cooldown: 6 * time.Hour},
		{Kind: engagement.AlertCount, Threshold: 1000, Metric: engagement.AlertTotal},
		{Kind: engagement.AlertForecast, Threshold: 5000, Metric: engagement.AlertTotal, Window: 24 * time.Hour},
		{Kind: engagement.AlertBurst, Threshold: 12},
		{Kind: engagement.AlertDeleted},
		{Kind: engagement.AlertStalled, Window: 24 * time.Hour},
		{Kind: engagement.AlertBudget, Threshold: 80},
		{Kind: engagement.AlertHeld},
	} {
		if _, err := r.db.Alerts.AddRule(ctx, alert.Rule{AlertRule: rule.WithDefaults()}); err != nil {
			return fmt.Errorf("add a rule on %s: %w", rule.Kind, err)
		}
	}
	for i, settings := range []string{
		fmt.Sprintf(`{"budget": {"day": %.6f}}`, r.dayCap()),
		fmt.Sprintf(`{"budget": {"month": %.6f}}`, r.monthCap()),
		`{"schedule": "adaptive"}`,
	} {
		if _, err := r.sql.Exec(ctx, `update public.zones set settings = $2::text::jsonb where id = $1`, r.collector.Zones[i].String(), settings); err != nil {
			return fmt.Errorf("set what a zone may spend: %w", err)
		}
	}
	return nil
}

// expected is what all look-ups of a day cost by the tiers, in dollars.
func (r *run) expected() float64 { return float64(r.daily()*lookupsATime) * tweetPrice }

// dayCap is the cap of the first zone: about half of what it would spend.
func (r *run) dayCap() float64 { return r.expected() / 3 * 0.5 }

// monthCap is the cap of the second zone, which may be used up before the month ends.
func (r *run) monthCap() float64 {
	return r.expected() / 3 * (r.boundary.Sub(r.begin).Hours()/24 - 1) * 0.8
}

// startNATS starts NATS, and makes its streams. It returns the environment of roles.
func (r *run) startNATS(ctx context.Context) (env []string, err error) {
	client, err := proc.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	pages, err := proc.FreeAddress(ctx)
	if err != nil {
		return nil, err
	}
	r.natsPages = "http://" + pages
	if err := r.startRole(ctx, nil, r.natsPages+"/healthz", "nats", "--store", filepath.Join(r.Dir, "nats"), "--port", portOf(client), "--http-port", portOf(pages)); err != nil {
		return nil, err
	}
	env = []string{"DATABASE_URL=" + r.server.URL(), "NATS_URL=nats://" + client}
	return env, proc.Run(ctx, r.Program, append(os.Environ(), env...), "migrate")
}

// startRoles starts each role in a process of its own.
func (r *run) startRoles(ctx context.Context, env []string) error {
	token, err := auth.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	entry, err := auth.TokenEntry("month", auth.Scopes(), token)
	if err != nil {
		return err
	}
	listen, err := proc.FreeAddress(ctx)
	if err != nil {
		return err
	}
	env = append(slices.Clip(env),
		"TWITTER_API_KEY="+config.DemoKey, "TWITTER_API_URL="+r.cfg.Provider.URL, "TWITTER_RATE=400", fmt.Sprintf("TWITTER_TWEET_PRICE=%g", tweetPrice),
		"SCHEDULE=tiers", "GORGONE_TIERS="+tiers, "GORGONE_DISPATCH_EVERY="+min(10*time.Minute, time.Duration(r.speed()*float64(time.Second))).Round(time.Second).String(),
		"GORGONE_RETENTION="+keepAll.String(), "GORGONE_RETENTION_HOURLY="+keepHourly.String(), "GORGONE_RETENTION_DAILY="+keepDaily.String(),
		fmt.Sprintf("GORGONE_BUDGET_DAY=%.6f", 1.2*r.expected()), fmt.Sprintf("GORGONE_BUDGET_MONTH=%.6f", 40*r.expected()), fmt.Sprintf("GORGONE_REFRESH_BUDGET_DAY=%.6f", r.expected()),
		"GORGONE_FORECAST_WRITE=0.2", "GORGONE_TRACK_INSERTED=true",
		"GORGONE_WEB_LISTEN="+listen, "GORGONE_WEB_TOKENS="+entry, "GORGONE_LOG_LEVEL=warn",
	)
	for _, name := range []string{"dispatcher", "worker", "web"} {
		monitor, err := proc.FreeAddress(ctx)
		if err != nil {
			return err
		}
		r.monitors[name] = "http://" + monitor
		if err := r.startRole(ctx, append(slices.Clip(env), "GORGONE_METRICS_ADDR="+monitor), "http://"+monitor+"/readyz", name); err != nil {
			return err
		}
	}
	r.traffic = newTraffic(r, "http://"+listen, token)
	return nil
}

func (r *run) startRole(ctx context.Context, env []string, ready string, args ...string) error {
	role, err := proc.Start(ctx, proc.Program{
		Path: r.Program, Args: args, Env: append(os.Environ(), env...), Log: r.logs, Ready: ready, Within: startWithin,
	})
	if err != nil {
		return fmt.Errorf("%w\n%s", err, r.lastErrors(5))
	}
	r.roles = append(r.roles, role)
	return nil
}

// stopRoles asks the roles to end, those first that use others.
func (r *run) stopRoles() (err error) {
	for len(r.roles) > 0 {
		last := len(r.roles) - 1
		err = errors.Join(err, r.roles[last].Stop())
		r.roles = r.roles[:last]
	}
	return err
}

// close ends everything that is left.
func (r *run) close() error {
	err := r.stopRoles()
	if r.hook != nil {
		err = errors.Join(err, r.hook.close())
	}
	if r.provider != nil {
		r.provider.Close()
	}
	if r.db != nil {
		r.db.Close()
	}
	if r.sql != nil {
		r.sql.Close()
	}
	if r.server != nil {
		err = errors.Join(err, r.server.Stop())
	}
	if r.logs != nil {
		err = errors.Join(err, r.logs.Close())
	}
	return err
}

// remove removes all that was made.
func (r *run) remove(ctx context.Context) error {
	return errors.Join(postgres.Remove(ctx, filepath.Join(r.Dir, "postgres"), r.Log), os.RemoveAll(r.Dir))
}

// lastErrors returns the last lines of the roles' log.
func (r *run) lastErrors(n int) string {
	text, err := os.ReadFile(r.logs.Name())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func portOf(address string) string {
	u := url.URL{Host: address}
	return u.Port()
}
