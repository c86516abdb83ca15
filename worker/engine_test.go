package worker_test

import (
	"cmp"
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"go.opentelemetry.io/otel/trace"

	"gorgone/dispatcher"
	"gorgone/internal/clock"
	"gorgone/internal/enginetest"
	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/store/pushed"
	"gorgone/throttle"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker"
	"gorgone/worker/lookup"
)

func TestMain(m *testing.M) {
	testkit.Main(m)
}

// engine is a whole engine for a test: its own database, streams and provider
// double, and as many dispatchers and workers as the test starts.
type engine struct {
	t      *testing.T
	db     *postgres.DB
	store  *store.Store
	clock  *clock.Clock
	conn   *queue.Conn
	queue  *queue.Queue
	double *fakeprovider.Server
	url    string
	zone   uuid.UUID
	ground *enginetest.Ground
	sql    *pgx.Conn
	window int // outstanding tweets before the workers' speed is known
}

type engineOptions struct {
	tweets int
	rate   float64 // of the double, calls a second; 0: no limit
	burst  int
	lease  time.Duration

	ackWait  time.Duration
	database string            // URL of a migrated one; empty: a new one
	disk     bool              // streams outlive the NATS server
	cluster  *natstest.Cluster // that has the streams, three times each; nil: a server of its own
}

func newEngine(t *testing.T, o engineOptions) *engine {
	t.Helper()
	cfg := queue.Config{Lease: o.lease, AckWait: o.ackWait, RefreshAckWait: min(o.ackWait, 10*time.Second), Memory: !o.disk}
	var g *enginetest.Ground
	switch {
	case o.cluster != nil:
		g = enginetest.OnCluster(t, o.cluster, cfg)
	case o.database != "":
		g = enginetest.On(t, o.database, cfg)
	default:
		g = enginetest.On(t, pgtest.NewDatabase(t), cfg)
	}
	e := &engine{
		t: t, ground: g, db: g.DB, store: g.Store, clock: g.Clock, conn: g.Conn, queue: g.Queue, zone: g.Zone.ID, sql: pgtest.Connect(t, g.URL), window: 1000,
	}
	e.double, e.url = g.FakeProvider(t, o.tweets, fakeprovider.Config{Rate: o.rate, Burst: o.burst})
	return e
}

// track tracks the whole population without known counts, so that all is due.
func (e *engine) track() (ids []string) {
	e.t.Helper()
	tweets := enginetest.Tweets(e.double)
	for _, tw := range tweets {
		ids = append(ids, tw.TweetID)
	}
	_, err := e.store.Track(e.t.Context(), e.zone, tweets)
	testkit.Must(e.t, err)
	return ids
}

// pace joins the pace that the workers share, as a replica of its own.
func (e *engine) pace(rate float64) *throttle.Limiter {
	e.t.Helper()
	p, err := throttle.NewLimiter(e.t.Context(), e.queue, throttle.LimiterConfig{Key: "test", Rate: rate}, e.clock)
	testkit.Must(e.t, err)
	e.t.Cleanup(p.Close)
	return p
}

type openGate struct{}

func (openGate) Closed() string { return "" }

func (e *engine) dispatcher(gate dispatcher.Gate) *dispatcher.Dispatcher {
	return dispatcher.New(dispatcher.Config{
		Every: time.Second, BatchTweets: 100, Window: dispatcher.Window{Lease: e.queue.Lease(), First: e.window},
	}, e.store, e.queue, gate, e.clock, zerolog.Nop())
}

// dispatch dispatches once what is due.
func (e *engine) dispatch() dispatcher.Result {
	e.t.Helper()
	r, err := e.dispatcher(openGate{}).DispatchOnce(e.t.Context(), 0)
	testkit.Must(e.t, err)
	return r
}

type workerOptions struct {
	rate   float64
	lookup func(lookup.CallFunc) lookup.CallFunc // wraps the real one; may be nil
	change func(*lookup.Provider)                // of the first provider; may be nil
	store  worker.Store                          // nil: the store
	queue  *queue.Queue                          // nil: the engine's
	grace  time.Duration
	slots  int // for batches; 0: 4

	announcer worker.Announcer // nil: the queue
	requests  worker.Requests  // nil: the store
	admission worker.Admission // nil: with limits of its own

	ratePause    time.Duration                             // 0: 200 ms
	balanceEvery time.Duration                             // 0: never
	callTimeout  time.Duration                             // of the first provider's client; 0: its default
	fallback     string                                    // address of a double that is asked by X's route; "": none
	tracer       trace.Tracer                              // may be nil
	xFirst       bool                                      // the fallback is set first
	prices       func(p *lookup.Provider) lookup.PriceFunc // nil: the providers are asked in their order
	pauses       lookup.Pauses                             // may be nil
	log          io.Writer                                 // what look-ups log; may be nil
	own          io.Writer                                 // what the worker logs beside; may be nil
}

// breakerRest is how long the breaker of a test rests at first.
const breakerRest = 300 * time.Millisecond

// worker makes a worker with connections of its own, as another process has.
func (e *engine) worker(o workerOptions) *worker.Worker {
	e.t.Helper()
	ctx := e.t.Context()
	client, err := twitter.NewTwitterAPI(twitter.Config{Key: enginetest.ProviderKey, BaseURL: e.url, Now: e.clock.Now, Timeout: o.callTimeout})
	testkit.Must(e.t, err)
	providers := []*lookup.Provider{enginetest.Provider(e.ground.Source(e.t, twitter.TwitterAPIName, "test", o.rate, breakerRest), client)}
	if o.lookup != nil {
		providers[0].Lookup = o.lookup(providers[0].Lookup)
	}
	if o.change != nil {
		o.change(providers[0])
	}
	if o.fallback != "" {
		second, err := twitter.NewXAPI(twitter.XConfig{Config: twitter.Config{Key: enginetest.ProviderKey, BaseURL: o.fallback, Now: e.clock.Now}})
		testkit.Must(e.t, err)
		providers = append(providers, enginetest.Provider(e.ground.Source(e.t, twitter.XAPIName, "fallback", 0, breakerRest), second))
	}
	if o.prices != nil {
		for _, p := range providers {
			p.Price = o.prices(p)
		}
	}
	if o.xFirst {
		slices.Reverse(providers)
	}
	if o.store == nil {
		o.store = e.store
	}
	if o.grace == 0 {
		o.grace = 10 * time.Second
	}
	if o.ratePause == 0 {
		o.ratePause = 200 * time.Millisecond
	}
	if o.queue == nil {
		o.queue = e.queue
	}
	if o.slots == 0 {
		o.slots = 4
	}
	if o.announcer == nil {
		o.announcer = o.queue
	}
	if o.admission == nil {
		o.admission = e.admission()
	}
	if o.requests == nil {
		o.requests = e.store
	}
	batches, err := o.queue.ConsumeBatches(ctx)
	testkit.Must(e.t, err)
	refreshes, err := o.queue.ConsumeRefreshes(ctx)
	testkit.Must(e.t, err)
	exhausted, err := o.queue.ConsumeMaxDeliveries(ctx)
	testkit.Must(e.t, err)
	kept, err := o.queue.ConsumeKept(ctx)
	testkit.Must(e.t, err)
	lookups := lookup.New(lookup.Config{CallTimeout: 2 * time.Second, RatePause: o.ratePause, BalanceEvery: o.balanceEvery}, lookup.Parts{
		Providers: providers, Pauses: o.pauses, Tweets: e.store, Tracer: o.tracer, Clock: e.clock, Random: rand.Float64, Log: zerolog.New(cmp.Or[io.Writer](o.log, io.Discard)),
	})
	return worker.New(worker.Config{
		BatchSlots: o.slots, RefreshSlots: 2, Writes: 2, Grace: o.grace,
	}, worker.Parts{
		Batches: batches, Refreshes: refreshes, Exhausted: exhausted, Keeper: o.queue, Kept: kept, Lookups: lookups,
		Store: o.store, Requests: o.requests, Admission: o.admission, Announcer: o.announcer, Subscribers: e.subscribers(), Clock: e.clock, Random: rand.Float64, Log: zerolog.New(cmp.Or[io.Writer](o.own, io.Discard)),
		Tracer: o.tracer, Pushed: pushed.New(e.db, e.clock, e.store),
	})
}

// admission admits what is published straight to the queue.
func (e *engine) admission() *refresh.Admission {
	return &refresh.Admission{Requests: e.store, Tweets: e.store, UserLimits: store.Limits{Cooldown: time.Minute, Allowance: 2}}
}

// subscribers knows whether update events have subscribers.
func (e *engine) subscribers() *queue.Subscribers {
	e.t.Helper()
	a, err := queue.NewSubscribers(e.queue)
	testkit.Must(e.t, err)
	return a
}

// run runs workers until stop is called, which waits for them. The test's end
// stops them too.
func (e *engine) run(workers ...*worker.Worker) (stop func()) {
	roles := make([]func(context.Context), len(workers))
	for i, w := range workers {
		roles[i] = w.Run
	}
	return e.runBeside(roles...)
}

// runBeside is run for anything that runs until its context ends.
func (e *engine) runBeside(roles ...func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.t.Context()))
	var running conc.WaitGroup
	for _, run := range roles {
		running.Go(func() { run(ctx) })
	}
	stop = func() {
		cancel()
		running.Wait()
	}
	e.t.Cleanup(stop)
	return stop
}

// eventually waits until the database says so. Postgres has no event for "all
// rows are written", so it is asked again and again.
func (e *engine) eventually(what, query string, want int, args ...any) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 4*time.Minute) // never reached when all is well
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for got := -1; got != want; {
		if err := e.sql.QueryRow(ctx, query, args...).Scan(&got); err != nil {
			e.t.Fatalf("%s: %d, want %d: %v", what, got, want, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			e.t.Fatalf("%s: %d, want %d", what, got, want)
		}
	}
}

// called waits until the double has had the number of calls.
func (e *engine) called(calls int64) {
	e.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for e.double.Stats().Calls < calls {
		select {
		case <-tick.C:
		case <-e.t.Context().Done():
			e.t.Fatalf("the double had %d calls, want %d", e.double.Stats().Calls, calls)
		}
	}
}

// count asks for one number.
func (e *engine) count(query string, args ...any) (n int) {
	e.t.Helper()
	testkit.Must(e.t, e.sql.QueryRow(e.t.Context(), query, args...).Scan(&n))
	return n
}

// refresh asks for a tweet and waits for the answer.
func (e *engine) refresh(id string) queue.RefreshResult {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	results, stop, err := e.queue.WatchResults(ctx, id)
	testkit.Must(e.t, err)
	defer stop()
	e.ask(id, 50*time.Second)
	select {
	case done := <-results:
		return done
	case <-ctx.Done():
		e.t.Fatalf("no answer to the refresh of %s", id)
		return queue.RefreshResult{}
	}
}

const (
	updatedOnce = `select count(*) from twitter_engagement_tracking where update_count = 1 and claim_id is null`
	snapshots   = `select count(*) from twitter_engagement_history`
)
