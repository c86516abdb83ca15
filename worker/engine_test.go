package worker_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"gorgone/dispatcher"
	"gorgone/internal/clock"
	"gorgone/internal/enginetest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/twitter/twittertest"
	"gorgone/worker"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(runner(func() int { return pgtest.Run(m) }))
}

// runner is what runs the tests.
type runner func() int

func (r runner) Run() int { return r() }

// engine is a whole engine for a test: its own database, streams and provider
// double, and as many dispatchers and workers as the test starts.
type engine struct {
	t      *testing.T
	db     *store.DB
	store  *store.Store
	clock  *clock.Clock
	conn   *queue.Conn
	queue  *queue.Queue
	double *twittertest.Server
	url    string
	zone   uuid.UUID
	ground *enginetest.Ground
	sql    *pgx.Conn
}

type engineOptions struct {
	tweets int
	rate   float64 // of the double, calls a second; 0: no limit
	burst  int
	lease  time.Duration

	ackWait  time.Duration
	database string // URL of a migrated one; empty: a new one
	disk     bool   // streams outlive the NATS server
}

func newEngine(t *testing.T, o engineOptions) *engine {
	t.Helper()
	database := o.database
	if database == "" {
		database = pgtest.NewDatabase(t)
	}
	g := enginetest.On(t, database, queue.Config{Lease: o.lease, AckWait: o.ackWait, Memory: !o.disk})
	e := &engine{
		t: t, ground: g, db: g.DB, store: g.Store, clock: g.Clock, conn: g.Conn, queue: g.Queue, zone: g.Zone.ID, sql: pgtest.Connect(t, g.URL),
	}
	e.double, e.url = g.Double(t, o.tweets, twittertest.Config{Rate: o.rate, Burst: o.burst})
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
	must(e.t, err)
	return ids
}

// pace joins the pace that the workers share, as a replica of its own.
func (e *engine) pace(rate float64) *queue.Pace {
	e.t.Helper()
	p, err := queue.NewPace(e.t.Context(), e.queue, queue.PaceConfig{Key: "test", Rate: rate}, e.clock)
	must(e.t, err)
	e.t.Cleanup(p.Close)
	return p
}

type openGate struct{}

func (openGate) Closed() string { return "" }

func (e *engine) dispatcher(gate dispatcher.Gate) *dispatcher.Dispatcher {
	return dispatcher.New(dispatcher.Config{
		Every: time.Second, BatchTweets: 100, Window: dispatcher.Window{Lease: e.queue.Lease(), First: 1000},
	}, e.store, e.queue, gate, e.clock, zerolog.Nop())
}

// dispatch dispatches once what is due.
func (e *engine) dispatch() dispatcher.Result {
	e.t.Helper()
	r, err := e.dispatcher(openGate{}).DispatchOnce(e.t.Context(), 0)
	must(e.t, err)
	return r
}

type workerOptions struct {
	rate   float64
	lookup func(worker.Lookup) worker.Lookup // wraps the real one; may be nil
	sink   worker.Sink                       // nil: the store
	queue  *queue.Queue                      // nil: the engine's
	grace  time.Duration

	ratePause    time.Duration // 0: 200 ms
	balanceEvery time.Duration // 0: never
	fallback     string        // address of a double that is asked by X's route; "": none
	tracer       trace.Tracer  // may be nil
	holds        worker.Holds  // may be nil
}

// breakerRest is how long the breaker of a test rests at first.
const breakerRest = 300 * time.Millisecond

// worker makes a worker with connections of its own, as another process has.
func (e *engine) worker(o workerOptions) *worker.Worker {
	e.t.Helper()
	ctx := e.t.Context()
	client, err := twitter.NewTwitterAPI(twitter.Config{Key: enginetest.DoubleKey, BaseURL: e.url, Now: e.clock.Now})
	must(e.t, err)
	providers := []*worker.Provider{enginetest.Provider(e.ground.Source(e.t, twitter.TwitterAPIName, "test", o.rate, breakerRest), client)}
	if o.lookup != nil {
		providers[0].Lookup = o.lookup(providers[0].Lookup)
	}
	if o.fallback != "" {
		second, err := twitter.NewXAPI(twitter.XConfig{Config: twitter.Config{Key: enginetest.DoubleKey, BaseURL: o.fallback, Now: e.clock.Now}})
		must(e.t, err)
		providers = append(providers, enginetest.Provider(e.ground.Source(e.t, twitter.XAPIName, "fallback", 0, breakerRest), second))
	}
	if o.sink == nil {
		o.sink = e.store
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
	batches, err := o.queue.Batches(ctx)
	must(e.t, err)
	refreshes, err := o.queue.Refreshes(ctx)
	must(e.t, err)
	exhausted, err := o.queue.Exhausted(ctx)
	must(e.t, err)
	return worker.New(worker.Config{
		BatchSlots: 4, RefreshSlots: 2, Writes: 2, CallTimeout: 2 * time.Second, Grace: o.grace,
		RatePause: o.ratePause, BalanceEvery: o.balanceEvery,
	}, worker.Parts{
		Batches: batches, Refreshes: refreshes, Exhausted: exhausted, Providers: providers,
		Sink: o.sink, Requests: e.store, Announcer: o.queue, Audience: e.audience(), Clock: e.clock, Random: rand.Float64, Log: zerolog.Nop(),
		Tracer: o.tracer, Holds: o.holds,
	})
}

// audience is told whether anybody watches.
func (e *engine) audience() *queue.Audience {
	e.t.Helper()
	a, err := queue.NewAudience(e.queue)
	must(e.t, err)
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
	must(e.t, e.sql.QueryRow(e.t.Context(), query, args...).Scan(&n))
	return n
}

// refresh asks for a tweet and waits for the answer.
func (e *engine) refresh(id string) queue.Done {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	results, stop, err := e.queue.WatchDone(ctx, id)
	must(e.t, err)
	defer stop()
	now := e.clock.Now()
	_, err = e.queue.PublishRefresh(ctx, queue.Refresh{RequestID: uuid.New(), TweetID: id, RequestedAt: now, Deadline: now.Add(50 * time.Second)})
	must(e.t, err)
	select {
	case done := <-results:
		return done
	case <-ctx.Done():
		e.t.Fatalf("no answer to the refresh of %s", id)
		return queue.Done{}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

const (
	updatedOnce = `select count(*) from twitter_engagement_tracking where update_count = 1 and claim_id is null`
	snapshots   = `select count(*) from twitter_engagement_history`
)
