package app

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/alert"
	"gorgone/dispatcher"
	"gorgone/internal/config"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/throttle"
	"gorgone/worker"
	"gorgone/worker/lookup"
)

const (
	// leastFirstWindow and mostFirstWindow bound how many tweets may be outstanding before
	// the workers' speed is known: what the key looks up in a second.
	leastFirstWindow = 1000
	mostFirstWindow  = 5000

	// For each of GORGONE_BATCH_SLOTS a worker handles up to batchesPerSlot batches and makes
	// up to callsPerSlot calls at once; how many of them follows the rate and the
	// provider's latency.
	batchesPerSlot = 4
	callsPerSlot   = 16

	// ratePause is what twitterapi.io asks of its lowest plan after a 429.
	ratePause = 5 * time.Second

	// keepAlerts is how long, in engine time, alerts are kept that are over.
	keepAlerts = 30 * 24 * time.Hour
)

func (a *App) newDispatcher() *dispatcher.Dispatcher {
	p := a.Provider()
	return dispatcher.New(dispatcher.Config{
		Every:       a.cfg.Dispatcher.Every,
		BatchTweets: batchTweets(a.cfg.Dispatcher, p),
		Window:      dispatcher.Window{Lease: a.queue.Lease(), First: firstWindow(p.TweetRate()), Rate: p.TweetRate()},
		Keys:        claimKeys{a.stops},
		Tracer:      a.tracer,
		OnDispatch:  a.process.Metrics.Dispatched,
	}, a.db.Store, a.queue, closedGate{a.queue.Conn, a.stops}, a.db.Clock, a.log)
}

// firstWindow returns how many tweets may be outstanding at first with a key for the
// given number of tweets a second.
func firstWindow(rate float64) int {
	return int(min(max(rate, leastFirstWindow), mostFirstWindow))
}

// batchTweets returns how many tweets a batch holds: many, because a transaction for
// many costs little more than one for few, but no more than the key looks up in a
// second, because what a worker has paid for is written when its batch is done. It is two
// calls at least, or it would never be learnt that the provider takes more in one.
func batchTweets(cfg config.Dispatcher, p *Provider) int {
	return min(cfg.Batch, max(2*p.MaxIDs(), int(p.TweetRate())))
}

func (a *App) newWorker(ctx context.Context) (*worker.Worker, error) {
	if err := a.leaseError(); err != nil {
		return nil, err
	}
	batches, err := a.queue.ConsumeBatches(ctx)
	if err != nil {
		return nil, err
	}
	a.add(batches.Stop)
	refreshes, err := a.queue.ConsumeRefreshes(ctx)
	if err != nil {
		return nil, err
	}
	a.add(refreshes.Stop)
	exhausted, err := a.queue.ConsumeMaxDeliveries(ctx)
	if err != nil {
		return nil, err
	}
	a.add(exhausted.Stop)
	kept, err := a.queue.ConsumeKept(ctx)
	if err != nil {
		return nil, err
	}
	a.add(kept.Stop)
	subscribers, err := queue.NewSubscribers(a.queue.Queue)
	if err != nil {
		return nil, err
	}
	a.keys.shared, a.keys.client = a.newLookups(a.lookups.forWorker(a.db), a.db.Store), a.newLookups
	if err := a.keys.reopen(ctx); err != nil {
		return nil, err
	}
	return worker.New(worker.Config{
		BatchSlots:   batchesPerSlot * a.cfg.Worker.BatchSlots,
		RefreshSlots: a.cfg.Worker.RefreshSlots,
		Writes:       a.cfg.Worker.Writes,
		Grace:        a.cfg.Worker.Grace,
	}, worker.Parts{
		Batches:   batches,
		Refreshes: refreshes,
		Exhausted: exhausted,
		Keeper:    a.queue,
		Kept:      kept,
		Lookups:   a.keys,
		Store:     a.db.Store,
		Pushed:    a.db.Pushed,
		Requests:  a.db.Store,
		Admission: &refresh.Admission{
			Requests: a.db.Store, Tweets: a.db.Store,
			UserLimits: store.Limits{Cooldown: a.cfg.Web.Cooldown, Allowance: a.cfg.Web.Allowance},
		},
		Announcer:   a.queue,
		Subscribers: subscribers,
		Observer:    a.process.Metrics,
		Tracer:      a.tracer,
		Clock:       a.db.Clock,
		Random:      rand.Float64,
		Log:         a.log,
	}), nil
}

// dispatch runs the dispatcher and what a dispatcher does beside until ctx ends.
func (a *App) dispatch(ctx context.Context) error {
	sender := alert.NewSender(alert.Parts{
		Outbox: a.db.Alerts, Poster: NewPoster(a.cfg.Alert, a.db.Clock.Database, a.process.Version), Timeout: a.cfg.Alert.Timeout,
		Announcer: a.queue, Observer: a.process.Metrics, Random: rand.Float64, Log: a.log,
	})
	var tasks conc.WaitGroup
	tasks.Go(func() { a.dispatcher.Run(ctx) })
	tasks.Go(func() { a.maintain(ctx) })
	tasks.Go(func() { sender.Run(ctx) })
	tasks.Go(func() { dispatcher.WatchDeletions(ctx, a.db.Store, a.db.Alerts, a.db.Clock, a.log) })
	tasks.Go(func() {
		dispatcher.ControlCosts(ctx, a.db.Store, a.db.Trials, a.db.Alerts, a.db.Clock, a.log, a.process.Metrics.Spent)
	})
	tasks.Wait()
	return nil
}

// NewPoster returns what posts alerts to webhooks. now tells real time.
func NewPoster(cfg config.Alert, now func() time.Time, version string) *alert.Poster {
	return alert.NewPoster(cfg.Timeout, cfg.Private, now, version)
}

// maintain does the housekeeping until ctx ends.
func (a *App) maintain(ctx context.Context) {
	dispatcher.Maintain(ctx, a.tables(), a.db.Clock, a.keep(), a.log)
}

// tables is what the housekeeping works on.
func (a *App) tables() dispatcher.Tables {
	tables := dispatcher.Tables{Batches: a.db.Store, History: a.db.History, Alerts: a.db.Alerts}
	if a.cfg.Dispatcher.TrackInserted {
		tables.Inserted = a.db
	}
	return tables
}

func (a *App) keep() dispatcher.Retention {
	return dispatcher.Retention{
		Batches: a.db.Clock.Engine(2 * a.queue.Lease()),
		Alerts:  keepAlerts,
		History: KeepHistory(a.cfg.Retention),
	}
}

// KeepHistory is how long history is kept.
func KeepHistory(c config.Retention) history.Retention {
	return history.Retention{Chosen: c.Chosen, Full: c.Full, Hourly: c.Hourly, Daily: c.Daily}
}

// The store and the queue must fit where they are used.
var (
	_ dispatcher.Source    = (*store.Store)(nil)
	_ alert.Announcer      = (*queue.Queue)(nil)
	_ dispatcher.Publisher = (*queue.Queue)(nil)
	_ worker.Store         = (*store.Store)(nil)
	_ worker.Requests      = (*store.Store)(nil)
	_ worker.Announcer     = (*queue.Queue)(nil)
	_ worker.Keeper        = (*queue.Queue)(nil)
	_ worker.Lookups       = (*keyring)(nil)
	_ lookup.Limiter       = (*throttle.Limiter)(nil)
	_ lookup.Breaker       = (*throttle.Breaker)(nil)
	_ lookup.Account       = (*throttle.Account)(nil)
)
