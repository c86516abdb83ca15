package worker

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"github.com/sourcegraph/conc/panics"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/worker/lookup"
)

// errGraceOver ends the work that is still going on after the grace period.
var errGraceOver = errors.New("worker ran out of its grace period")

// settleTimeout bounds releasing work, or publishing its result, when the time for the
// work itself is over.
const settleTimeout = 3 * time.Second

// idleBatches is how many batches a worker has at most of which no call has begun. So it
// takes no more of them than it can make calls for (see [lookup.Config]); the others are
// left to other workers.
const idleBatches = 2

// Batches delivers batches, one at a time.
type Batches interface {
	Next(ctx context.Context) (*queue.BatchDelivery, error)
}

// Refreshes delivers refreshes, those that wait together.
type Refreshes interface {
	Fetch(ctx context.Context, limit int) ([]*queue.RefreshDelivery, error)
}

// Exhausted delivers messages that reached the queue's maximum number of deliveries.
type Exhausted interface {
	Next(ctx context.Context) (*queue.MaxDeliveriesMessage, error)
}

// Lookups asks providers for tweets. [lookup.Client] does.
type Lookups interface {
	Lookup(ctx, stop context.Context, r lookup.Request) iter.Seq[lookup.Answer]
	Explain(err error) lookup.Failure
	MaxIDs() int
	CheckProviders(ctx context.Context)
}

// Store writes results, and knows how tweets stand.
type Store interface {
	// Ping fails while the database cannot be reached.
	Ping(ctx context.Context) error
	HeldRows(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]store.Held, error)
	AcquireBatch(ctx context.Context, h store.OwnershipRequest) (store.Ownership, error)
	ExtendBatch(ctx context.Context, h store.OwnershipRequest) (store.Ownership, error)
	Standings(ctx context.Context, tweetIDs []string) (map[string]engagement.PriorState, error)
	Apply(ctx context.Context, work store.Work) (store.Applied, error)
	Release(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) error
	ApplyRefresh(ctx context.Context, results []store.RefreshResult, calls ...store.Calls) (store.Applied, error)
	RecordCalls(ctx context.Context, refresh bool, calls ...store.Calls) error
}

// Requests records refresh requests.
type Requests interface {
	AnsweredRefreshes(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
	OpenRequests(ctx context.Context, tweetIDs []string) ([]store.RefreshRequest, error)
	FailRefreshes(ctx context.Context, failures []store.RefreshFailure) error
}

// Admission records requests for refreshes that were published without one.
// [refresh.Admission] does.
type Admission interface {
	Admit(ctx context.Context, published queue.Refresh) (refresh.Result, error)
}

// Announcer publishes the results of refreshes, update events, and refreshes that have
// lost their message.
type Announcer interface {
	PublishRefresh(ctx context.Context, r queue.Refresh) (coalesced bool, err error)
	QueuedRefreshes(ctx context.Context) (tweets map[string]bool, err error)
	PublishResult(ctx context.Context, d queue.RefreshResult) error
	PublishUpdates(ctx context.Context, seen []queue.RowUpdate) error
}

// Subscribers knows whether update events have subscribers.
type Subscribers interface{ Present() bool }

// Observer observes what a worker did, in the goroutine that did it.
type Observer interface {
	// BatchDone is called when a batch was settled, however it ended.
	BatchDone(took time.Duration)
	// RefreshDone is called when a refresh was answered, with the time since it was
	// asked for.
	RefreshDone(outcome engagement.RequestOutcome, took time.Duration)
	// Wrote is called with what was written.
	Wrote(applied store.Applied)
}

// Clock tells engine time and database time.
type Clock interface {
	Now() time.Time
	Database() time.Time
	Real(engine time.Duration) time.Duration
	Agrees() error // nil, or why it is not known what time it is
}

// Config are the limits of a worker.
type Config struct {
	BatchSlots   int           // most batches handled at once
	RefreshSlots int           // groups of refreshes handled at once
	Writes       int           // batches that use the database at once; refreshes are not held to it
	Grace        time.Duration // how long work in flight may go on after a stop
}

// Parts are what a worker works with. All of them are required unless they say
// otherwise.
type Parts struct {
	Batches     Batches
	Refreshes   Refreshes
	Exhausted   Exhausted
	Keeper      Keeper
	Kept        Kept
	Lookups     Lookups
	Store       Store
	Pushed      Pushed // may be nil: what answers tell beside is not written
	Requests    Requests
	Admission   Admission
	Announcer   Announcer
	Subscribers Subscribers
	Observer    Observer     // may be nil
	Tracer      trace.Tracer // may be nil
	Clock       Clock
	Random      func() float64 // in [0, 1), safe for concurrent use
	Log         zerolog.Logger
}

// Worker fetches work and does it. Any number may run at once, in one process or
// many.
type Worker struct {
	cfg         Config
	parts       Parts
	progress    progress
	database    *database
	batches     *batchHandler
	refreshes   *refreshHandler
	kept        *keptHandler
	deadLetters *deadLetters
}

// New returns a worker.
func New(cfg Config, p Parts) *Worker {
	if p.Observer == nil {
		p.Observer = unobserved{}
	}
	if p.Tracer == nil {
		p.Tracer = noop.NewTracerProvider().Tracer("")
	}
	w := &Worker{cfg: cfg, parts: p}
	w.database = &database{ping: p.Store.Ping, slots: make(chan struct{}, cfg.Writes), left: make(chan struct{}, 1), clock: p.Clock, random: p.Random, log: p.Log}
	w.deadLetters = &deadLetters{
		store: p.Store, requests: p.Requests, announcer: p.Announcer, observer: p.Observer, clock: p.Clock, log: p.Log,
	}
	live := updates{announcer: p.Announcer, subscribers: p.Subscribers, log: p.Log}
	beside := signals{pushed: p.Pushed, updates: live, log: p.Log}
	w.batches = &batchHandler{
		lookups: p.Lookups, signals: beside, store: p.Store, keeper: p.Keeper, database: w.database, updates: live, deadLetters: w.deadLetters,
		progress: &w.progress, observer: p.Observer, tracer: p.Tracer, clock: p.Clock, log: p.Log,
	}
	w.refreshes = &refreshHandler{
		lookups: p.Lookups, signals: beside, store: p.Store, keeper: p.Keeper, requests: p.Requests, admission: p.Admission, database: w.database, updates: live, deadLetters: w.deadLetters,
		keyed: new(conc.WaitGroup), announcer: p.Announcer, progress: &w.progress, observer: p.Observer, tracer: p.Tracer, clock: p.Clock, log: p.Log,
	}
	w.kept = &keptHandler{keeper: p.Keeper, batches: w.batches, refreshes: w.refreshes, log: p.Log}
	w.batches.kept = w.kept
	return w
}

// Ready returns an error while the database does not take what this worker has to write,
// although it may answer. The worker fetches nothing then.
func (w *Worker) Ready() error { return w.database.ready() }

// Run works until ctx ends. Then it fetches nothing more, gives back what has not
// begun a call, and waits for the rest: at most the grace period, after which
// what is still going on is cancelled and given back too.
func (w *Worker) Run(ctx context.Context) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(w.cfg.Grace, func() { cancel(errGraceOver) })
		context.AfterFunc(work, func() { grace.Stop() })
	})()

	var kinds conc.WaitGroup
	kinds.Go(func() {
		idle := make(chan struct{}, idleBatches)
		// Batches of clients' own keys may wait long for a slow one, and the claim bounds how
		// many there are: they hold no slot that others wait for.
		var keyed conc.WaitGroup
		defer keyed.Wait()
		w.fill(ctx, w.cfg.BatchSlots, func() (func(), error) {
			select {
			case idle <- struct{}{}:
				_ = w.database.awaitRoom(ctx) // fails at a stop only
			case <-ctx.Done():
			}
			d, err := w.parts.Batches.Next(ctx)
			if err == nil && d.Batch().Key != uuid.Nil {
				<-idle
				keyed.Go(func() {
					w.progress.inHand.Add(1)
					defer w.progress.inHand.Add(-1)
					w.batches.handle(work, ctx, d, func() {})
				})
				return func() {}, nil
			}
			return func() {
				begun := sync.OnceFunc(func() { <-idle })
				defer begun()
				w.batches.handle(work, ctx, d, begun)
			}, err
		})
	})
	kinds.Go(func() {
		w.fill(ctx, w.cfg.RefreshSlots, func() (func(), error) {
			group, err := w.parts.Refreshes.Fetch(ctx, w.parts.Lookups.MaxIDs())
			return func() { w.refreshes.handle(work, ctx, group) }, err
		})
		w.refreshes.keyed.Wait()
	})
	kinds.Go(func() {
		w.fill(ctx, 1, func() (func(), error) {
			e, err := w.parts.Exhausted.Next(ctx)
			return func() { w.deadLetters.exhausted(work, e) }, err
		})
	})
	kinds.Go(func() {
		w.fill(ctx, 1, func() (func(), error) {
			d, err := w.parts.Kept.Next(ctx)
			return func() { w.kept.handle(work, d) }, err
		})
	})
	kinds.Go(func() { w.parts.Lookups.CheckProviders(ctx) })
	kinds.Go(func() { w.refreshes.sweep(ctx) })
	kinds.Wait()
}

// fill keeps the slots of one kind of work busy: it fetches a piece of work only when a slot is
// free and the database is not known to be unavailable, until ctx ends or fetch fails,
// and waits for all work to end.
func (w *Worker) fill(ctx context.Context, slots int, fetch func() (func(), error)) {
	free := make(chan struct{}, slots)
	var busy conc.WaitGroup
	defer busy.Wait()
	for {
		select {
		case free <- struct{}{}:
			_ = w.database.await(ctx) // fails at a stop only
		case <-ctx.Done():
		}
		// After a stop this fails, and so releases what the queue had fetched.
		work, err := fetch()
		if err != nil {
			if ctx.Err() == nil {
				w.parts.Log.Error().Err(err).Msg("fetching work from the queue failed")
			}
			return
		}
		busy.Go(func() {
			w.progress.inHand.Add(1)
			defer func() {
				w.progress.inHand.Add(-1)
				<-free
			}()
			work()
		})
	}
}

// guard runs f and turns a panic into an error, so that one message cannot take
// the process, and all other work, with it.
func guard(f func()) error {
	return panics.Try(f).AsError()
}
