package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/postgres"
	"gorgone/worker/lookup"
)

const (
	// duplicateDelay is after how long a message is redelivered whose batch this worker
	// has in hand, leastTakeoverDelay the least after which one is that another has.
	duplicateDelay     = 10 * time.Second
	leastTakeoverDelay = 2 * time.Second

	// unwrittenDelay is how long a batch waits that could not be written.
	unwrittenDelay = 5 * time.Second
)

// batchHandler handles batch messages.
type batchHandler struct {
	lookups     Lookups
	store       Store
	keeper      Keeper
	kept        *keptHandler
	database    *database
	updates     updates
	signals     signals
	deadLetters *deadLetters
	progress    *progress
	observer    Observer
	tracer      trace.Tracer
	clock       Clock
	log         zerolog.Logger
	inHand      sync.Map // ids of the batches that are being handled
}

// handle handles one batch message, and never panics. No call begins after stop has
// ended; begun is called before the first one.
func (h *batchHandler) handle(ctx, stop context.Context, d *queue.BatchDelivery, begun func()) {
	batch := d.Batch()
	with := h.log.With().Stringer("claim", batch.ID)
	if batch.Key != uuid.Nil {
		with = with.Stringer("key_of", batch.Key)
	}
	log := with.Logger()
	if _, twice := h.inHand.LoadOrStore(batch.ID, nil); twice {
		// The queue was unreachable for so long that it took this worker for dead. The
		// rows must not be paid for twice: when the message comes again they are answered.
		log.Info().Msg("batch is in hand already")
		if err := d.Nak(duplicateDelay); err != nil {
			log.Warn().Err(err).Msg("putting off a batch that is in hand failed")
		}
		return
	}
	defer h.inHand.Delete(batch.ID)
	ctx, span := h.tracer.Start(traceparent.Join(ctx, batch.Trace), "batch", trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(attribute.Stringer("claim", batch.ID), attribute.Int("tweets", len(batch.Tweets))))
	defer span.End()
	calls, refuse := context.WithCancelCause(stop)
	defer refuse(nil)
	j := &job{
		batchHandler: h,
		batch:        batch,
		delivery:     d,
		calls:        calls,
		log:          log,
		keeps:        true,
		owner: &ownership{
			store: h.store, database: h.database, delivery: d, holder: uuid.New(), redelivered: d.Deliveries() > 1,
			begun: begun, refuseCalls: refuse, log: log,
		},
	}
	j.handle(ctx)
}

// job is the work on one batch message.
type job struct {
	*batchHandler

	batch    queue.Batch
	delivery *queue.BatchDelivery
	owner    *ownership
	calls    context.Context //nolint:containedctx // ends when no further call may begin: at a stop, or by the owner
	log      zerolog.Logger

	keeps bool // results that the database does not take: those that were kept already are not kept again

	known map[string]engagement.PriorState // of tweets with open rows
	late  []store.RefreshResult            // answers to rows that were answered, or claimed again, meanwhile
	stats batchStats
	usage usage
}

// handle does the work while it keeps the message, and then settles the message.
func (j *job) handle(ctx context.Context) {
	started := j.clock.Database()
	// The message is kept no longer than the lease.
	lease, release := context.WithTimeout(ctx, j.clock.Real(j.batch.Until.Sub(j.clock.Now())))
	defer release()
	settled := j.delivery.KeepAlive(lease, j.owner.extend)
	var err error
	if e := guard(func() { err = j.run(ctx) }); e != nil {
		err = e
	}
	j.usage.recordRest(ctx, j.database, j.store, j.keeper, false, &j.log)
	settled()

	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if other, elsewhere := errors.AsType[*callUnderWayError](err); elsewhere {
		j.putOff(other.until)
		return
	}
	if err := j.settle(settling, err); err != nil {
		// The message comes again, and finds its rows answered.
		j.log.Warn().Err(err).Msg("settling a batch message failed")
	}
	took := max(j.clock.Database().Sub(started), 0) // a clock may be set back
	j.progress.batch(j.stats)
	j.observer.BatchDone(took)
	j.stats.log(took, &j.log)
}

// run answers every row of the batch, or releases it. A nil error means that nothing
// of the batch is left to do.
func (j *job) run(ctx context.Context) error {
	ids, err := j.open(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	if err := overDelivered(j.delivery.Deliveries()); err != nil {
		return err
	}
	j.log.Info().Int("tweets", len(ids)).Msgf("Starting batch update for %d tweets", len(ids))
	request := lookup.Request{Class: queue.ClassBatch, IDs: ids, Client: j.batch.Key, Standings: j.known, Until: j.batch.Until, Owner: j.owner, Log: j.log}
	if j.owner.redelivered {
		request.Redelivered = len(ids)
	}
	for answer := range j.lookups.Lookup(ctx, j.calls, request) {
		if err := j.record(ctx, answer); err != nil {
			return err
		}
	}
	return nil
}

// open finds the rows that the batch still holds and returns their tweets: by its message
// when that is fresh, else in the database. The others have been answered by a refresh or
// taken over: looking them up would be paid for nothing.
func (j *job) open(ctx context.Context) ([]string, error) {
	var all []uuid.UUID
	for _, t := range j.batch.Tweets {
		all = append(all, t.Rows...)
	}
	held, known := j.owner.known(j.clock.Now())
	if !known {
		if j.owner.redelivered {
			if err := j.kept.writeOf(ctx, j.batch.ID); err != nil {
				return nil, err
			}
		}
		err := j.persist(ctx, func() (err error) {
			held, err = j.owner.acquire(ctx, all)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("check the claim: %w", err)
		}
	}
	j.stats.skipped = len(all) - len(held)
	open := make(map[uuid.UUID]engagement.PriorState, len(held))
	for _, h := range held {
		open[h.Row] = h.Standing
	}
	j.owner.rows = make(map[string][]uuid.UUID, len(j.batch.Tweets))
	j.known = make(map[string]engagement.PriorState, len(j.batch.Tweets))
	ids := make([]string, 0, len(j.batch.Tweets))
	for _, t := range j.batch.Tweets {
		for _, row := range t.Rows {
			if standing, held := open[row]; held {
				j.owner.rows[t.ID] = append(j.owner.rows[t.ID], row)
				j.known[t.ID] = j.known[t.ID].Merge(standing)
			}
		}
		if len(j.owner.rows[t.ID]) > 0 {
			ids = append(ids, t.ID)
		}
	}
	return ids, nil
}

// record writes what one step of the look-up led to.
func (j *job) record(ctx context.Context, a lookup.Answer) error {
	calls, canaries := j.usage.add(a.Usage)
	j.stats.calls += calls
	j.stats.controls += canaries
	j.progress.controls.Add(int64(canaries))
	results := make([]store.Result, len(a.Results))
	for i, r := range a.Results {
		results[i] = store.Result{TweetID: r.TweetID, Rows: j.owner.rows[r.TweetID], Kind: r.Kind, Call: r.Call, Observation: r.Observation, Reason: r.Reason, Unreadable: r.Unreadable}
	}
	if err := j.apply(ctx, results); err != nil {
		return err
	}
	j.owner.calling.Store(false)
	j.signals.write(ctx, a.Signals)
	switch {
	case takenOver(a.Err):
		return a.Err
	case len(a.Left) > 0:
		return j.release(ctx, a.Left, a.Err)
	case len(a.Failed) > 0:
		return j.fail(ctx, a.Failed, a.Err)
	}
	return nil
}

// fail makes tweets that no call will answer back off.
func (j *job) fail(ctx context.Context, ids []string, cause error) error {
	j.log.Error().Err(cause).Int("tweets", len(ids)).Msg("look-up failed")
	kind := store.Unresolved
	if errors.Is(cause, lookup.ErrImplausible) {
		kind = store.Unproven
	}
	// A failure is no answer: another worker's answer takes precedence.
	if err := j.persist(ctx, func() error { return j.owner.stillOwned(ctx) }); err != nil {
		return err
	}
	results := make([]store.Result, len(ids))
	for i, id := range ids {
		results[i] = store.Result{TweetID: id, Rows: j.owner.rows[id], Kind: kind, Reason: cause.Error()}
	}
	return j.apply(ctx, results)
}

// release clears the claim of the tweets, so that they can be claimed again at once,
// by this worker's successor or when calls are allowed again.
func (j *job) release(ctx context.Context, ids []string, cause error) error {
	if errors.Is(cause, lookup.ErrStopping) || ctx.Err() != nil {
		return fmt.Errorf("give back %d tweets: %w", len(ids), lookup.ErrStopping)
	}
	rows := j.owner.rowsOf(ids)
	j.log.Info().AnErr("cause", cause).Int("tweets", len(ids)).Msg("tweets given back")
	err := j.persist(ctx, func() error {
		// What was spent on them is in the ledger before it no longer counts as committed.
		if err := j.usage.record(ctx, j.store, false); postgres.Unavailable(err) {
			return err
		}
		return j.owner.release(ctx, rows)
	})
	if err != nil {
		return fmt.Errorf("give back %d tweets: %w", len(ids), err)
	}
	j.stats.released += len(rows)
	return nil
}

// apply writes results. One that the database refuses is recorded as failed, so that it
// backs off and is not paid for again and again.
func (j *job) apply(ctx context.Context, results []store.Result) error {
	w := resultWriter[store.Result]{
		database: j.database, until: j.batch.Until, slot: true, log: &j.log,
		write: j.write,
		refused: func(ctx context.Context, r store.Result, cause error) error {
			j.log.Error().Err(cause).Str("tweet", r.TweetID).Msg("result refused by the database")
			failed := []store.Result{{TweetID: r.TweetID, Rows: r.Rows, Kind: store.Unresolved, Reason: cause.Error()}}
			return j.database.retry(ctx, j.batch.Until, &j.log, func() error { return j.write(ctx, failed) })
		},
		// What the calls cost is known to the ledger whatever becomes of the results.
		failed: func(ctx context.Context) { _ = j.usage.record(ctx, j.store, false) },
		late:   func(context.Context) {},
	}
	if j.keeps {
		w.forget = j.keeper.Forget
		w.keep = func(ctx context.Context, results []store.Result) ([]uint64, error) {
			return keep(ctx, j.keeper, keptBody{Claim: j.batch.ID, Until: j.batch.Until, Results: keptOf(results)}, j.usage.named())
		}
	}
	if err := w.put(ctx, results); err != nil {
		return err
	}
	return j.applyLate(ctx)
}

// write writes results and what their calls cost in one transaction, and publishes
// what became of the rows.
func (j *job) write(ctx context.Context, results []store.Result) error {
	ctx, span := j.tracer.Start(ctx, "apply", trace.WithAttributes(attribute.Int("tweets", len(results))))
	defer span.End()
	applied, err := j.store.Apply(ctx, store.Work{ClaimID: j.batch.ID, Results: results, Calls: j.usage.named()})
	if err != nil {
		span.SetStatus(codes.Error, "not written")
		return fmt.Errorf("apply: %w", err)
	}
	j.usage = nil
	j.late = append(j.late, lateResults(results, applied)...)
	j.stats.count(applied, &j.log)
	j.observer.Wrote(applied)
	j.updates.publish(ctx, applied)
	return nil
}

// persist calls f, which uses the database, until it succeeds, or until the lease ends.
func (j *job) persist(ctx context.Context, f func() error) error {
	return j.database.retry(ctx, j.batch.Until, &j.log, func() error { return j.database.inSlot(ctx, f) })
}

// settle settles the message of a batch, whose work ended with err.
func (j *job) settle(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return j.delivery.Ack(ctx)
	case takenOver(err):
		j.log.Info().Msg("batch was taken over")
		return nil
	case errors.Is(err, errKeptUnknown):
		// What is kept must not be paid for again.
		return j.delivery.Nak(unwrittenDelay)
	case errors.Is(err, lookup.ErrStopping), errors.Is(err, errGraceOver):
		// The claim stays as it is: the next receiver of the message goes on with the
		// rows that are still open.
		return j.delivery.Nak(0)
	case postgres.Unavailable(err):
		// The lease has ended, and nothing was paid for. The message comes again until
		// it is too old; others may not know yet that the database is unavailable.
		return j.delivery.Nak(unwrittenDelay)
	default:
		j.log.Error().Err(err).Int("deliveries", j.delivery.Deliveries()).Msg("batch cannot be handled")
		if takenOver(j.owner.stillOwned(ctx)) {
			return nil
		}
		j.deadLetters.backOff(ctx, j.batch, err.Error())
		return j.delivery.DeadLetter(ctx, err.Error())
	}
}

// putOff gives the message back until the worker that has a call for the batch under
// way has applied it, or is known to be dead.
func (j *job) putOff(until time.Time) {
	j.log.Info().Time("until", until).Msg("batch is in hand elsewhere")
	now := j.clock.Now()
	delay := max(j.clock.Real(until.Sub(now)), leastTakeoverDelay)
	if j.delivery.Deliveries() >= maxDeliveries {
		// The next one would be taken for one too many, and that is no fault of the batch.
		// The queue forgets it at the end of its lease, when its open rows are claimed again.
		delay = j.clock.Real(j.batch.Until.Sub(now)) + j.delivery.AckWait()
	}
	if err := j.delivery.Nak(delay); err != nil {
		j.log.Warn().Err(err).Msg("putting off a batch that is in hand elsewhere failed")
	}
}
