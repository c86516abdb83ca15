package main

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sourcegraph/conc"
	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/trace"

	"gorgone/alert"
	"gorgone/dispatcher"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/worker"
)

// firstHelping is how many tweets may be outstanding before the workers' speed
// is known.
const firstHelping = 1000

// closedGate says when nothing should be claimed.
type closedGate struct {
	conn  *queue.Conn
	stops stops
}

// Closed implements dispatcher.Gate.
func (g closedGate) Closed() string {
	if !g.conn.Connected() {
		return "the queue is away"
	}
	return g.stops.batches()
}

// parts is everything a dispatcher or a worker is made of.
type parts struct {
	database
	messaging
	lookups
	stops  stops
	tracer trace.Tracer
}

func (a *app) openParts(ctx context.Context, role string, open *resources) (p parts, err error) {
	if err := a.locate(); err != nil {
		return p, err
	}
	if a.demonstration {
		return p, usageError("the gorgone up in %s is a demonstration, and TWITTER_API_KEY would ask a real provider about its made-up tweets: unset it, or set DATABASE_URL and NATS_URL too", a.dataDir)
	}
	if p.database, err = a.openDatabase(ctx, role, open); err != nil {
		return p, err
	}
	if p.messaging, err = a.openQueue(ctx, role, open); err != nil {
		return p, err
	}
	if p.lookups, err = a.openLookups(ctx, p.messaging, p.clock, open); err != nil {
		return p, err
	}
	if p.stops, err = openStops(ctx, p.database, p.sources); err != nil {
		return p, err
	}
	p.tracer, err = a.openTracer(ctx, role, open)
	return p, err
}

func (a *app) newDispatcher(p parts) *dispatcher.Dispatcher {
	cfg := dispatcher.Config{
		Every:       a.cfg.Dispatcher.Every,
		BatchTweets: a.batchTweets(p.provider),
		Window:      dispatcher.Window{Lease: p.queue.Lease(), First: firstHelping, Rate: p.provider.tweetRate()},
		Tracer:      p.tracer,
		OnDispatch:  a.metrics.Dispatched,
	}
	return dispatcher.New(cfg, p.store, p.queue, closedGate{p.conn, p.stops}, p.clock, a.log)
}

// batchTweets is how many tweets a batch holds: many, because a transaction for
// many costs little more than one for few, but no more than the key looks up in a
// second, because what a worker has paid for is written when its batch is done.
func (a *app) batchTweets(p provider) int {
	if p.rate == 0 {
		return a.cfg.Dispatcher.Batch
	}
	return min(a.cfg.Dispatcher.Batch, max(p.maxIDs(), int(p.tweetRate())))
}

func (a *app) newWorker(ctx context.Context, p parts) (*worker.Worker, error) {
	if least := worker.MinLease(a.cfg.Provider.Timeout); p.queue.Lease() < least {
		return nil, usageError("the lease is %s, and calls that may take %s (TWITTER_TIMEOUT) need %s: set a longer one with GORGONE_LEASE and gorgone migrate", p.queue.Lease(), a.cfg.Provider.Timeout, least)
	}
	batches, err := p.queue.Batches(ctx)
	if err != nil {
		return nil, err
	}
	refreshes, err := p.queue.Refreshes(ctx)
	if err != nil {
		return nil, err
	}
	exhausted, err := p.queue.Exhausted(ctx)
	if err != nil {
		return nil, err
	}
	audience, err := queue.NewAudience(p.queue)
	if err != nil {
		return nil, err
	}
	return worker.New(worker.Config{
		BatchSlots:   a.cfg.Worker.BatchSlots,
		RefreshSlots: a.cfg.Worker.RefreshSlots,
		Writes:       a.cfg.Worker.Writes,
		CallTimeout:  a.cfg.Provider.Timeout,
		Grace:        a.cfg.Worker.Grace,
		RatePause:    5 * time.Second, // what twitterapi.io asks of its lowest plan
		BalanceEvery: a.cfg.Provider.BalanceEvery,
	}, worker.Parts{
		Batches:   batches,
		Refreshes: refreshes,
		Exhausted: exhausted,
		Holds:     p.stops,
		Providers: p.workers(p.database),
		Sink:      p.store,
		Requests:  p.store,
		Announcer: p.queue,
		Audience:  audience,
		Observer:  a.metrics,
		Tracer:    p.tracer,
		Clock:     p.clock,
		Random:    rand.Float64,
		Log:       a.log,
	}), nil
}

// dispatch runs the dispatcher and the housekeeping until ctx ends.
func (a *app) dispatch(ctx context.Context, p parts) {
	var roles conc.WaitGroup
	roles.Go(func() { a.newDispatcher(p).Run(ctx) })
	roles.Go(func() { a.maintain(ctx, p) })
	roles.Go(func() { a.newSender(p).Run(ctx) })
	roles.Go(func() { dispatcher.Economize(ctx, p.store, p.clock, a.log, a.metrics.Spent) })
	roles.Wait()
}

// keepAlerts is how long, in engine time, alerts are kept that are over.
const keepAlerts = 30 * 24 * time.Hour

func (a *app) newSender(p parts) *alert.Sender {
	return alert.NewSender(alert.Parts{
		Outbox: p.store, Poster: a.newPoster(p.clock.Database), Timeout: a.cfg.Alert.Timeout,
		Announcer: p.queue, Observer: a.metrics, Random: rand.Float64, Log: a.log,
	})
}

// newPoster returns what posts to webhooks. now tells real time.
func (a *app) newPoster(now func() time.Time) *alert.Poster {
	return alert.NewPoster(a.cfg.Alert.Timeout, a.cfg.Alert.Private, now, versionString())
}

// maintain does the housekeeping until ctx ends.
func (a *app) maintain(ctx context.Context, p parts) {
	dispatcher.Maintain(ctx, p.store, p.clock, a.keep(p), a.log)
}

func (a *app) keep(p parts) dispatcher.Keep {
	c := a.cfg.Retention
	return dispatcher.Keep{
		Batches: p.clock.Engine(2 * p.queue.Lease()),
		Alerts:  keepAlerts,
		History: store.Retention{Full: c.Full, Hourly: c.Hourly, Daily: c.Daily},
	}
}

// keepTime keeps the clock, and what is paused, in step with the database until ctx
// ends.
func (a *app) keepTime(ctx context.Context, p parts) {
	var beside conc.WaitGroup
	beside.Go(func() {
		p.stops.pauses.Run(ctx, func(err error) {
			if err != nil {
				a.log.Warn().Err(err).Msg("whether people have paused something is not known now")
			}
		})
	})
	p.clock.Run(ctx, func(err error) { a.log.Warn().Err(err).Msg("read the database's clock") })
	beside.Wait()
}

// runRole opens everything and runs a role beside the clock until ctx ends.
func (a *app) runRole(ctx context.Context, role string, run func(ctx context.Context, p parts) error) error {
	m, err := a.newMonitor(ctx)
	if err != nil {
		return err
	}
	defer m.serve()()
	var open resources
	defer open.close()
	p, err := a.openParts(ctx, role, &open)
	if err != nil {
		return err
	}
	a.watchState(p)
	m.running(checks(p))
	defer context.AfterFunc(ctx, m.stopping)()
	a.log.Info().Str("version", versionString()).Str("nats", p.conn.Server()).Dur("lease_ms", p.queue.Lease()).
		Str("provider", p.provider.name).Float64("calls_per_second", p.provider.rate).Msg(role + " started")
	var beside conc.WaitGroup
	timekeeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	beside.Go(func() { a.keepTime(timekeeping, p) })
	err = run(ctx, p)
	stop()
	beside.Wait()
	a.log.Info().Msg(role + " stopped")
	return err
}

func newDispatcher(a *app) *cobra.Command {
	var once bool
	var limit int
	cmd := &cobra.Command{
		Use:   "dispatcher",
		Short: "Claim what is due and publish it for the workers",
		Long: `Claim what is due in Postgres and publish it as batches to NATS, every
GORGONE_DISPATCH_EVERY. Any number of dispatchers may run; one claims at a time.

It claims no more than the workers finish in a third of a lease, and nothing
while calls are paused or the queue is away: a backlog stays in Postgres.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usageError("--limit %d: want 0 or more", limit)
			}
			if once {
				a.cfg.Monitor.Listen = "" // it may be that of the dispatcher that runs
			}
			return a.runRole(cmd.Context(), "dispatcher", func(ctx context.Context, p parts) error {
				if !once {
					leave, err := a.attend(p, nil, "dispatcher")
					if err != nil {
						return err
					}
					defer leave()
					a.dispatch(ctx, p)
					return nil
				}
				r, err := a.newDispatcher(p).DispatchOnce(ctx, limit)
				if err != nil {
					return err
				}
				// Where a cron job dispatches, nobody else keeps house.
				dispatcher.MaintainOnce(ctx, p.store, p.clock.Now(), a.keep(p), a.log)
				a.printf("dispatched %d tweets (%d rows) in %d batches\n", r.Tweets, r.Rows, r.Batches)
				if r.Closed != "" {
					a.printf("nothing more was claimed: %s\n", r.Closed)
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "dispatch once and exit")
	cmd.Flags().IntVar(&limit, "limit", 0, "with --once: tweets at most (0: what the workers can take)")
	return cmd
}

func newWorker(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "worker",
		Short: "Look up what was dispatched, refreshes first",
		Long: `Take batches and refreshes from NATS, look the tweets up and write what was
seen to Postgres. Start as many as you like, on as many machines: they share the
rate of the API key, and a rate limit met by one pauses all.

At SIGTERM or Ctrl-C a worker takes nothing more, finishes the calls under way
within GORGONE_GRACE and gives the rest back. A second signal ends it at once;
nothing is lost then either, only later.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runRole(cmd.Context(), "worker", func(ctx context.Context, p parts) error {
				w, err := a.newWorker(ctx, p)
				if err != nil {
					return err
				}
				leave, err := a.attend(p, w.Progress, "worker")
				if err != nil {
					return err
				}
				defer leave()
				w.Run(ctx)
				return nil
			})
		},
	}
}

// static checks that the store and the queue fit where they are used.
var (
	_ dispatcher.Source    = (*store.Store)(nil)
	_ dispatcher.Keeper    = (*store.Store)(nil)
	_ alert.Announcer      = (*queue.Queue)(nil)
	_ dispatcher.Publisher = (*queue.Queue)(nil)
	_ worker.Sink          = (*store.Store)(nil)
	_ worker.Requests      = (*store.Store)(nil)
	_ worker.Announcer     = (*queue.Queue)(nil)
	_ worker.Pace          = (*queue.Pace)(nil)
	_ worker.Breaker       = (*queue.Breaker)(nil)
	_ worker.Account       = (*queue.Account)(nil)
)
