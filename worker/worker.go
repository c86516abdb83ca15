package worker

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"github.com/sourcegraph/conc/panics"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
)

var (
	errStopping  = errors.New("worker is stopping")
	errGraceOver = errors.New("worker ran out of its grace period")
	errLeaseEnds = errors.New("lease ends too soon for another call")
)

// settle is how long giving work back, or telling the result, may take when the
// time for the work itself is over.
const settle = 3 * time.Second

// MinLease is the shortest lease that leaves a batch time for its calls: half of
// it at least, when a call may take the given time.
func MinLease(callTimeout time.Duration) time.Duration { return 2 * (callTimeout + leaseMargin) }

// Lookup asks the provider for tweets. It calls gate just before each call it
// makes, and makes none that the gate refuses.
type Lookup func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error)

// Batches is where batches are taken from, one at a time.
type Batches interface {
	Next(ctx context.Context) (*queue.BatchDelivery, error)
}

// Refreshes is where refreshes are taken from, those that wait together.
type Refreshes interface {
	NextGroup(ctx context.Context, limit int) ([]*queue.RefreshDelivery, error)
}

// Exhausted is where messages are taken that the queue delivered so often that it
// never will again.
type Exhausted interface {
	Next(ctx context.Context) (*queue.Exhausted, error)
}

// Sink is where results are written, and where it is known how tweets stand.
type Sink interface {
	// Ping fails while the database cannot be reached.
	Ping(ctx context.Context) error
	HeldRows(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]store.Held, error)
	TakeOver(ctx context.Context, h store.Hold) (store.Holding, error)
	Keep(ctx context.Context, h store.Hold) (store.Holding, error)
	Standings(ctx context.Context, tweetIDs []string) (map[string]engagement.Standing, error)
	Controls(ctx context.Context, except []string, limit int) ([]string, error)
	ShareNorm(ctx context.Context, learnt engagement.Sample) (engagement.Norm, error)
	Apply(ctx context.Context, work store.Work) (store.Applied, error)
	Release(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) error
	ApplyRefresh(ctx context.Context, results []store.RefreshResult, calls ...store.Calls) (store.Applied, error)
	RecordCalls(ctx context.Context, refresh bool, calls ...store.Calls) error
}

// Requests is where it is kept what people asked for.
type Requests interface {
	AnsweredRefreshes(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
	FailRefreshes(ctx context.Context, failures []store.RefreshFailure) error
}

// Announcer tells those who wait for a refresh, and those who watch.
type Announcer interface {
	PublishDone(ctx context.Context, d queue.Done) error
	PublishSeen(ctx context.Context, seen []queue.Seen) error
}

// Audience knows whether anybody watches.
type Audience interface{ Present() bool }

// Observer is told what a worker did, by the goroutine that did it.
type Observer interface {
	// BatchDone tells that a batch was settled, however it ended.
	BatchDone(took time.Duration)
	// RefreshDone tells that a refresh was answered, and how long after it was
	// asked for.
	RefreshDone(outcome queue.Outcome, took time.Duration)
	// Wrote tells what was written.
	Wrote(applied store.Applied)
}

// Clock tells engine time and database time.
type Clock interface {
	Now() time.Time
	Database() time.Time
	Real(engine time.Duration) time.Duration
}

// Config says how a worker works.
type Config struct {
	BatchSlots   int           // batches handled at once
	RefreshSlots int           // groups of refreshes handled at once
	Writes       int           // batches that use the database at once; refreshes are not held to it
	CallTimeout  time.Duration // the longest one call may take
	Grace        time.Duration // how long work in flight may go on after a stop
	RatePause    time.Duration // pause after a 429 that does not say how long
	BalanceEvery time.Duration // how often one of all workers reads what is left of an account; 0: never
}

// Holds knows what people have paused.
type Holds interface {
	// Hold returns a [HoldError] while a lane is paused.
	Hold(lane queue.Lane) error
}

// HoldError says that somebody has paused a lane.
type HoldError struct {
	Reason string
	Until  time.Time // database time; zero: not known
}

func (e *HoldError) Error() string { return e.Reason }

// unheld are [Holds] of which there are none.
type unheld struct{}

func (unheld) Hold(queue.Lane) error { return nil }

// Parts are what a worker works with. All of them are required unless they say
// otherwise.
type Parts struct {
	Batches   Batches
	Refreshes Refreshes
	Exhausted Exhausted
	Holds     Holds       // may be nil
	Providers []*Provider // the first is asked; the others, in turn, while it is left alone
	Sink      Sink
	Requests  Requests
	Announcer Announcer
	Audience  Audience
	Observer  Observer     // may be nil
	Tracer    trace.Tracer // may be nil
	Clock     Clock
	Random    func() float64 // in [0, 1), safe for concurrent use
	Log       zerolog.Logger
}

// Worker takes work and does it. Any number may run at once, in one process or
// many.
type Worker struct {
	cfg Config
	Parts
	progress progress
	witness  witness
	writes   chan struct{} // a place for each batch that may use the database
	away     atomic.Bool   // the database, as far as is known
	claims   sync.Map      // ids of the batches in hand
}

// New returns a worker.
func New(cfg Config, parts Parts) *Worker {
	if parts.Observer == nil {
		parts.Observer = unobserved{}
	}
	if parts.Holds == nil {
		parts.Holds = unheld{}
	}
	if parts.Tracer == nil {
		parts.Tracer = noop.NewTracerProvider().Tracer("")
	}
	return &Worker{cfg: cfg, Parts: parts, writes: make(chan struct{}, cfg.Writes)}
}

// Run works until ctx ends. Then it takes nothing more, gives back what has not
// begun a call, and waits for the rest: at most the grace period, after which
// what is still going on is cancelled and given back too.
func (w *Worker) Run(ctx context.Context) {
	work, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(w.cfg.Grace, func() { cancel(errGraceOver) })
		context.AfterFunc(work, func() { grace.Stop() })
	})()

	var lanes conc.WaitGroup
	lanes.Go(func() {
		w.fill(ctx, w.cfg.BatchSlots, func() (func(), error) {
			d, err := w.Batches.Next(ctx)
			return func() { w.batch(work, ctx, d) }, err
		})
	})
	lanes.Go(func() {
		w.fill(ctx, w.cfg.RefreshSlots, func() (func(), error) {
			group, err := w.Refreshes.NextGroup(ctx, w.group())
			return func() { w.refresh(work, ctx, group) }, err
		})
	})
	lanes.Go(func() {
		w.fill(ctx, 1, func() (func(), error) {
			e, err := w.Exhausted.Next(ctx)
			return func() { w.exhausted(work, e) }, err
		})
	})
	lanes.Go(func() { w.keep(ctx) })
	lanes.Wait()
}

// fill keeps the slots of a lane busy: it takes a piece of work only when a slot
// is free and the database is not known to be away, until ctx ends or take fails, and waits for all work to end.
func (w *Worker) fill(ctx context.Context, slots int, take func() (func(), error)) {
	free := make(chan struct{}, slots)
	var busy conc.WaitGroup
	defer busy.Wait()
	for {
		select {
		case free <- struct{}{}:
			_ = w.awaitDatabase(ctx) // fails at a stop only
		case <-ctx.Done():
		}
		// After a stop, taking fails, and so lets go of what the queue had fetched.
		work, err := take()
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Error().Err(err).Msg("take work from the queue")
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

// holdPause is the longest pause that a batch is held through. For a longer one
// its claim is given back, so that the backlog stands in Postgres, where it is
// visible and ordered.
const holdPause = 10 * time.Second

// pauseFor waits for d or until ctx ends, and then returns the cause.
func (w *Worker) pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
