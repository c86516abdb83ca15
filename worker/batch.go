package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
)

const (
	// leaseMargin is what must be left of a lease after a call, for writing.
	leaseMargin = 10 * time.Second

	// inHandDelay is after how long a message comes again that came twice.
	inHandDelay = 10 * time.Second

	retryBase    = 500 * time.Millisecond
	retryCeiling = 10 * time.Second

	// unwrittenPause is how long a batch waits that the database did not take.
	unwrittenPause = 5 * time.Second
)

// batch handles one batch message, and never panics.
func (w *Worker) batch(ctx, stop context.Context, d *queue.BatchDelivery) {
	id := d.Batch().ID
	if _, twice := w.claims.LoadOrStore(id, nil); twice {
		// The queue was away for so long that it took this worker for dead. The rows
		// are in hand, and must not be paid for twice: when the message comes again
		// they are answered.
		w.Log.Info().Stringer("claim", id).Msg("batch is in hand already")
		if err := d.Nak(inHandDelay); err != nil {
			w.Log.Warn().Err(err).Stringer("claim", id).Msg("put off a batch that is in hand")
		}
		return
	}
	defer w.claims.Delete(id)
	ctx, span := w.Tracer.Start(traceparent.Join(ctx, d.Batch().Trace), "batch", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.Stringer("claim", d.Batch().ID), attribute.Int("tweets", len(d.Batch().Tweets))))
	defer span.End()
	calls, cut := context.WithCancelCause(stop)
	defer cut(nil)
	j := &job{
		Worker:   w,
		batch:    d.Batch(),
		delivery: d,
		again:    d.Deliveries() > 1,
		holder:   uuid.New(),
		stop:     stop,
		calls:    calls,
		cut:      cut,
		started:  w.Clock.Database(),
		log:      w.Log.With().Stringer("claim", d.Batch().ID).Logger(),
	}
	// The message is held no longer than the lease.
	holding, release := context.WithTimeout(ctx, j.leaseLeft())
	defer release()
	alive := d.KeepAlive(holding, j.unheard)
	var err error
	if e := guard(func() { err = j.run(ctx) }); e != nil {
		err = e
	}
	j.recordRest(ctx, false, j.spent)
	alive()

	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	if inHand, elsewhere := errors.AsType[*inHandError](err); elsewhere {
		j.putOff(inHand.until)
		return
	}
	if err := j.conclude(settling, err); err != nil {
		// The message comes again, and finds its rows answered.
		j.log.Warn().Err(err).Msg("settle batch message")
	}
	j.report()
}

// conclude settles the message of a batch, whose work ended with err.
func (j *job) conclude(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return j.delivery.Ack(ctx)
	case errors.Is(err, errTaken):
		j.log.Info().Msg("batch was taken over")
		return nil
	case errors.Is(err, errStopping), errors.Is(err, errGraceOver):
		// The claim is left as it is: whoever is handed the message next goes on
		// with the rows that are still open.
		return j.delivery.Nak(0)
	case store.Unavailable(err):
		// The lease has ended, and nothing could be written of it. The message comes
		// again until it is too old; others may not know yet that the database is away.
		return j.delivery.Nak(unwrittenPause)
	default:
		j.log.Error().Err(err).Int("deliveries", j.delivery.Deliveries()).Msg("batch cannot be handled")
		if errors.Is(j.stay(ctx), errTaken) {
			return nil
		}
		j.giveUp(ctx, j.batch, err.Error())
		return j.delivery.DeadLetter(ctx, err.Error())
	}
}

// job is the work on one batch message.
type job struct {
	*Worker
	batch    queue.Batch
	delivery *queue.BatchDelivery
	again    bool            // it was delivered before
	holder   uuid.UUID       // this delivery
	stop     context.Context //nolint:containedctx // lives as long as the message is handled
	calls    context.Context //nolint:containedctx // ends when no further call may begin: at a stop, or by cut
	cut      context.CancelCauseFunc
	calling  atomic.Bool // a call was begun, and not all of its answer is written
	started  time.Time
	log      zerolog.Logger

	rows  map[string][]uuid.UUID         // open rows by tweet id
	known map[string]engagement.Standing // likewise
	count counts
	spent []store.Calls // not recorded yet
}

// run answers every row of the batch, or gives it back. A nil error means that
// nothing of the batch is left to do.
func (j *job) run(ctx context.Context) error {
	ids, err := j.open(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := overDelivered(j.delivery.Deliveries()); err != nil {
		return err
	}
	j.log.Info().Int("tweets", len(ids)).Msgf("Starting batch update for %d tweets", len(ids))
	g := gate{
		lane: queue.LaneBatch, stop: j.calls,
		hold: func() time.Duration { return holdPause },
		left: func() time.Duration { return j.leaseLeft() - j.cfg.CallTimeout - leaseMargin },
	}
	todo := newAgenda(ids)
	for {
		next, ok := todo.next()
		if !ok {
			return nil
		}
		g.sure = func(ctx context.Context) (time.Duration, error) { return j.sure(ctx, next.ids) }
		answer := j.ask(ctx, g, next.ids, j.known)
		failed, unasked, lookupErr := answer.failed, answer.unasked, answer.err
		j.count.calls += answer.Calls
		j.count.controls += answer.controls
		j.spent = store.AddCalls(j.spent, answer.calls())
		if err := j.apply(ctx, j.results(answer)); err != nil {
			return err
		}
		j.calling.Store(false)
		switch j.judge(lookupErr, next.tries, len(failed)) {
		case done:
			failed = todo.answered(next)
		case wait, elsewhere:
			next.tries--
			todo.again(next, failed, unasked)
			continue
		case leave:
			return lookupErr
		case park:
			return j.giveBack(ctx, lookupErr, slices.Concat(failed, unasked, todo.drop(next)))
		case retry:
			j.log.Warn().Err(lookupErr).Int("tries", next.tries).Int("tweets", len(failed)).Msg("look-up failed, trying again")
			if err := j.sleep(ctx, engagement.Backoff(next.tries, retryBase, retryCeiling, j.Random())); err != nil {
				return err
			}
			todo.again(next, failed, unasked)
			continue
		case split:
			failed = todo.split(next, failed, unasked, lookupErr)
		case fail:
			todo.failed(next, unasked)
		}
		if err := j.fail(ctx, failed, cmp.Or(lookupErr, next.because)); err != nil {
			return err
		}
	}
}

// fail makes tweets that no call will answer back off.
func (j *job) fail(ctx context.Context, ids []string, cause error) error {
	if len(ids) == 0 {
		return nil
	}
	j.log.Error().Err(cause).Int("tweets", len(ids)).Msg("look-up failed")
	kind := store.Unresolved
	if errors.Is(cause, errLacking) {
		kind = store.Unproven
	}
	// A failure is no answer: if another looks them up, his is worth more.
	if err := j.persist(ctx, func() error { return j.stay(ctx) }); err != nil {
		return err
	}
	return j.apply(ctx, j.unanswered(ids, kind, cause))
}

// open finds the rows that the batch still holds and returns their tweets. The
// others have been answered by a refresh or taken over: looking them up would be
// paid for nothing.
func (j *job) open(ctx context.Context) ([]string, error) {
	var all []uuid.UUID
	for _, t := range j.batch.Tweets {
		all = append(all, t.Rows...)
	}
	var held []store.Held
	err := j.persist(ctx, func() (err error) {
		held, err = j.held(ctx, all)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("check the claim: %w", err)
	}
	j.count.lost = len(all) - len(held)
	open := make(map[uuid.UUID]engagement.Standing, len(held))
	for _, h := range held {
		open[h.Row] = h.Standing
	}
	j.rows = make(map[string][]uuid.UUID, len(j.batch.Tweets))
	j.known = make(map[string]engagement.Standing, len(j.batch.Tweets))
	ids := make([]string, 0, len(j.batch.Tweets))
	for _, t := range j.batch.Tweets {
		for _, row := range t.Rows {
			if standing, held := open[row]; held {
				j.rows[t.ID] = append(j.rows[t.ID], row)
				j.known[t.ID] = j.known[t.ID].With(standing)
			}
		}
		if len(j.rows[t.ID]) > 0 {
			ids = append(ids, t.ID)
		}
	}
	return ids, nil
}

// results turns an answer into what the store writes.
func (j *job) results(a asked) []store.Result {
	results := make([]store.Result, 0, len(a.Found)+len(a.Missing)+len(a.unproven)+len(a.Unresolved))
	for _, f := range a.Found {
		results = append(results, store.Result{
			TweetID: f.ID, Rows: j.rows[f.ID], Kind: store.Found, Call: f.Call,
			Observation: engagement.Observation{At: f.At, Metrics: f.Metrics, Provider: a.Provider},
		})
	}
	absent := func(kind store.Kind, list []twitter.Missing) {
		for _, m := range list {
			results = append(results, store.Result{
				TweetID: m.ID, Rows: j.rows[m.ID], Kind: kind, Call: m.Call,
				Observation: engagement.Observation{At: m.At}, Reason: m.Reason,
			})
		}
	}
	absent(store.Missing, a.Missing)
	absent(store.Unproven, a.unproven)
	for _, u := range a.Unresolved {
		results = append(results, j.unanswered([]string{u.ID}, store.Unresolved, u.Err)...)
	}
	return results
}

func (j *job) unanswered(ids []string, kind store.Kind, err error) []store.Result {
	results := make([]store.Result, len(ids))
	for i, id := range ids {
		results[i] = store.Result{TweetID: id, Rows: j.rows[id], Kind: kind, Reason: err.Error()}
	}
	return results
}

// apply writes results. When the database refuses them although it is there, they
// are written in halves until the one that it refuses stands alone. That one is
// recorded as failed, so that it backs off and cannot come round again and again,
// paid for each time.
func (j *job) apply(ctx context.Context, results []store.Result) error {
	if len(results) == 0 {
		return nil
	}
	err := j.write(ctx, results)
	if err == nil || ctx.Err() != nil || store.Unavailable(err) {
		return err
	}
	if len(results) > 1 {
		half := len(results) / 2
		if err := j.apply(ctx, results[:half]); err != nil {
			return err
		}
		return j.apply(ctx, results[half:])
	}
	r := results[0]
	j.log.Error().Err(err).Str("tweet", r.TweetID).Msg("result refused by the database")
	return j.write(ctx, []store.Result{{TweetID: r.TweetID, Rows: r.Rows, Kind: store.Unresolved, Reason: err.Error()}})
}

func (j *job) write(ctx context.Context, results []store.Result) error {
	ctx, span := j.Tracer.Start(ctx, "apply", trace.WithAttributes(attribute.Int("tweets", len(results))))
	var applied store.Applied
	store.Bill(j.spent)
	err := j.persist(ctx, func() (err error) {
		applied, err = j.Sink.Apply(ctx, store.Work{ClaimID: j.batch.ID, Results: results, Calls: j.spent})
		return err
	})
	end(span, err)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	j.spent = nil
	j.tally(applied)
	j.Observer.Wrote(applied)
	j.tell(ctx, applied)
	return nil
}

// giveBack clears the claim of the tweets, so that they can be claimed again at
// once, by this worker's successor or when calls are allowed again.
func (j *job) giveBack(ctx context.Context, cause error, ids []string) error {
	if errors.Is(cause, errStopping) || ctx.Err() != nil {
		return fmt.Errorf("give back %d tweets: %w", len(ids), errStopping)
	}
	rows := j.rowsOf(ids)
	j.log.Info().AnErr("cause", cause).Int("tweets", len(ids)).Msg("tweets given back")
	if err := j.persist(ctx, func() error { return j.release(ctx, rows) }); err != nil {
		return fmt.Errorf("give back %d tweets: %w", len(ids), err)
	}
	j.count.released += len(rows)
	return nil
}

// persist calls f until it succeeds, fails for a reason other than the database
// being away, or the lease ends, after which it is of no use.
func (j *job) persist(ctx context.Context, f func() error) error {
	for tries := 1; ; tries++ {
		err := j.inPlace(ctx, f)
		j.noteOutage(err)
		if err == nil || !store.Unavailable(err) || j.leaseLeft() <= 0 {
			return err
		}
		j.log.Warn().Err(err).Int("tries", tries).Msg("database is away, trying again")
		if e := j.pauseFor(ctx, engagement.Backoff(tries, retryBase, retryCeiling, j.Random())); e != nil {
			return e
		}
	}
}

// inPlace calls f in one of the places at the database. More batches at once
// would not be written sooner, and would only stand in the way of refreshes.
func (j *job) inPlace(ctx context.Context, f func() error) error {
	select {
	case j.writes <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-j.writes }()
	return f()
}

// leaseLeft is the real time left of the lease.
func (j *job) leaseLeft() time.Duration {
	return j.Clock.Real(j.batch.Until.Sub(j.Clock.Now()))
}

// sleep waits for d, and fails at a stop: a back-off is no reason to stay.
func (j *job) sleep(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(j.stop, func() { cancel(errStopping) })() //nolint:contextcheck // two contexts end this wait
	return j.pauseFor(ctx, d)
}
