package worker

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/worker/lookup"
)

// standingsTimeout bounds the question how refreshed tweets stand, which a look-up can
// do without.
const standingsTimeout = 2 * time.Second

// refreshHandler handles refreshes.
type refreshHandler struct {
	lookups     Lookups
	store       Store
	keeper      Keeper
	requests    Requests
	admission   Admission
	database    *database
	updates     updates
	signals     signals
	deadLetters *deadLetters
	keyed       *conc.WaitGroup // refreshes by clients' own keys, which hold no slot
	announcer   Announcer
	progress    *progress
	observer    Observer
	tracer      trace.Tracer
	clock       Clock
	log         zerolog.Logger
}

// handle handles refreshes that waited together, and never panics. No call begins
// after stop has ended. Those by clients' own keys go on after it has returned.
func (h *refreshHandler) handle(ctx, stop context.Context, group []*queue.RefreshDelivery) {
	group = h.deadLetters.filter(ctx, group)
	g := &refreshGroup{refreshHandler: h, waiting: make(map[string]*queue.RefreshDelivery, len(group)), alive: make(map[string]func(), len(group))}
	var links []trace.Link
	for _, d := range group {
		links = append(links, traceparent.Link(ctx, d.Refresh().Trace))
		id := d.Refresh().TweetID
		g.alive[id], g.waiting[id] = d.KeepAlive(ctx, nil), d
	}
	ctx, span := h.tracer.Start(ctx, "refresh group", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...))
	defer span.End()
	g.handle(ctx, func() { g.run(ctx, stop) })
}

// handle does something for the group, and then settles what is left of it.
func (g *refreshGroup) handle(ctx context.Context, do func()) {
	if err := guard(do); err != nil {
		g.log.Error().Err(err).Msg("refreshes cannot be handled")
		g.fail(ctx, slices.Collect(maps.Keys(g.waiting)), g.lookups.Explain(err))
	}
	g.usage.recordRest(ctx, g.database, g.store, g.keeper, true, &g.log)
	g.reopen(ctx)
	// What is still waiting was neither answered nor refused: it is given back.
	for id, d := range g.waiting {
		if err := d.Nak(0); err != nil {
			g.log.Warn().Err(err).Str("tweet", id).Msg("giving a refresh back failed")
		}
	}
	for _, stopped := range g.alive {
		stopped()
	}
}

// refreshGroup is the work on refreshes that waited together.
type refreshGroup struct {
	*refreshHandler

	deadline time.Time // engine time after which no one waits for an answer
	client   uuid.UUID // that pays, if it has or had a key of its own
	waiting  map[string]*queue.RefreshDelivery
	alive    map[string]func()               // ends that the message of a tweet is kept
	asked    map[string]store.RefreshRequest // by tweet: the youngest request that the look-up is for
	settled  []string                        // tweets whose messages were acked
	usage    usage
}

// run answers what it can. What it leaves waiting is given back to the queue.
func (g *refreshGroup) run(ctx, stop context.Context) {
	// Two reads that a caller waits for, at once.
	var (
		reading conc.WaitGroup
		known   map[string]engagement.PriorState
	)
	waiting := slices.Collect(maps.Keys(g.waiting))
	reading.Go(func() { known = g.standings(ctx, waiting) })
	ids := g.open(ctx)
	reading.Wait()
	for _, own := range g.split(ids) {
		standings := maps.Clone(known)
		g.keyed.Go(func() {
			own.handle(ctx, func() { own.lookUp(ctx, stop, slices.Collect(maps.Keys(own.waiting)), standings) })
		})
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return g.waiting[id] == nil })
	if len(ids) > 0 {
		g.lookUp(ctx, stop, ids, known)
	}
}

// split takes the tweets out of the group that clients with keys of their own pay for, into a
// group for each client.
func (g *refreshGroup) split(ids []string) map[uuid.UUID]*refreshGroup {
	groups := make(map[uuid.UUID]*refreshGroup)
	for _, id := range ids {
		client := g.asked[id].Client
		if client == uuid.Nil {
			continue
		}
		own := groups[client]
		if own == nil {
			own = &refreshGroup{
				refreshHandler: g.refreshHandler, client: client, deadline: g.deadline, waiting: make(map[string]*queue.RefreshDelivery),
				alive: make(map[string]func()), asked: make(map[string]store.RefreshRequest),
			}
			groups[client] = own
		}
		own.waiting[id], own.alive[id], own.asked[id] = g.waiting[id], g.alive[id], g.asked[id]
		delete(g.waiting, id)
		delete(g.alive, id)
		delete(g.asked, id)
	}
	return groups
}

// lookUp looks tweets up by one key, and answers what it can.
func (g *refreshGroup) lookUp(ctx, stop context.Context, ids []string, known map[string]engagement.PriorState) {
	request := lookup.Request{Class: queue.ClassRefresh, IDs: ids, Client: g.client, Standings: known, Until: g.deadline, Log: g.log}
	for _, id := range ids {
		if g.waiting[id].Deliveries() > 1 {
			request.Redelivered++
		}
	}
	for answer := range g.lookups.Lookup(ctx, stop, request) {
		_, canaries := g.usage.add(answer.Usage)
		g.progress.controls.Add(int64(canaries))
		if err := g.apply(ctx, answer.Results); err != nil {
			g.log.Warn().Err(err).Msg("refreshes not written")
			return
		}
		g.signals.write(ctx, answer.Signals)
		if len(answer.Left) > 0 && (errors.Is(answer.Err, lookup.ErrStopping) || ctx.Err() != nil) {
			return
		}
		if failed := slices.Concat(answer.Failed, answer.Left); len(failed) > 0 {
			g.fail(ctx, failed, g.lookups.Explain(answer.Err))
		}
	}
}

// open acks refreshes whose requests another look-up has answered in the meantime,
// fails those that are past their deadline, and returns the tweets of the others. A
// message stands for all requests that are open for its tweet, its own or not.
func (g *refreshGroup) open(ctx context.Context) []string {
	now := g.clock.Now()
	open, answered, err := g.requestsOf(ctx)
	if err != nil {
		g.log.Warn().Err(err).Msg("refreshes may be looked up twice")
	}
	g.asked = make(map[string]store.RefreshRequest, len(g.waiting))
	var ids, late []string
	for id, d := range g.waiting {
		r := d.Refresh()
		asked, waits := open[id]
		if !waits {
			if answered[r.RequestID] {
				g.ack(ctx, d)
				continue
			}
			if asked, waits = g.admit(ctx, d, err == nil); !waits {
				continue
			}
		}
		g.asked[id] = asked
		if now.After(asked.Deadline) {
			late = append(late, id)
			continue
		}
		ids = append(ids, id)
		if asked.Deadline.After(g.deadline) {
			g.deadline = asked.Deadline
		}
	}
	g.fail(ctx, late, lookup.Failure{Cause: engagement.CauseLate, Reason: "no worker took it in time"})
	return ids
}

// admit returns the request of a message for a tweet without an open one: it is past its
// deadline, or was never recorded, since the message was published straight to the queue.
// Then it is recorded, or refused, which answers the message. While the database cannot
// tell, the message is taken for its request.
func (g *refreshGroup) admit(ctx context.Context, d *queue.RefreshDelivery, readable bool) (asked store.RefreshRequest, admitted bool) {
	r := d.Refresh()
	if !readable {
		return store.RefreshRequest{ID: r.RequestID, TweetID: r.TweetID, RequestedAt: r.RequestedAt, Deadline: r.Deadline}, true
	}
	result, err := g.admission.Admit(ctx, r)
	var limit *store.LimitError
	refused := queue.RefreshResult{TweetID: r.TweetID, Outcome: engagement.RequestFailed}
	switch {
	case err == nil && result.Cached:
		g.finish(ctx, result.Done)
		return asked, false
	case err == nil:
		return result.Request, true
	case errors.As(err, &limit):
		refused.Cause, refused.Reason, refused.RetryAt = engagement.CauseLimit, limit.Reason, g.clock.Database().Add(limit.After)
	case errors.Is(err, refresh.ErrRequestTaken):
		refused.Cause, refused.Reason = engagement.CauseUnreadable, refresh.ErrRequestTaken.Error()
	case errors.Is(err, store.ErrTweetNotFound), errors.Is(err, store.ErrNotTracked):
		refused.Outcome, refused.Reason = engagement.RequestUntracked, untracked
	default:
		g.log.Warn().Err(err).Str("tweet", r.TweetID).Msg("recording a published refresh failed; it is given back")
		return asked, false
	}
	g.finish(ctx, refused)
	return asked, false
}

// untracked is the reason of a refresh that found no row to write.
const untracked = "no active zone tracks the tweet"

// requestsOf returns the open requests for the tweets that wait, and those requests of
// the messages that are closed. Without the database it knows of none.
func (g *refreshGroup) requestsOf(ctx context.Context) (open map[string]store.RefreshRequest, answered map[uuid.UUID]bool, err error) {
	requests, err := g.requests.OpenRequests(ctx, slices.Collect(maps.Keys(g.waiting)))
	open = youngest(requests)
	var others []uuid.UUID
	for id, d := range g.waiting {
		if _, waits := open[id]; !waits {
			others = append(others, d.Refresh().RequestID)
		}
	}
	var closed []uuid.UUID
	if err == nil && len(others) > 0 {
		closed, err = g.requests.AnsweredRefreshes(ctx, others)
	}
	answered = make(map[uuid.UUID]bool, len(closed))
	for _, id := range closed {
		answered[id] = true
	}
	return open, answered, err
}

// ack acks the message of a tweet.
func (g *refreshGroup) ack(ctx context.Context, d *queue.RefreshDelivery) {
	id := d.Refresh().TweetID
	delete(g.waiting, id)
	g.settled = append(g.settled, id)
	if err := d.Ack(ctx); err != nil {
		g.log.Warn().Err(err).Str("tweet", id).Msg("acking a refresh failed")
	}
}

// reopen publishes requests again that joined a message after its look-up.
func (g *refreshGroup) reopen(ctx context.Context) {
	if len(g.settled) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	open, err := g.requests.OpenRequests(ctx, g.settled)
	if err != nil {
		g.log.Warn().Err(err).Msg("looking for refreshes that came too late for an answer failed")
		return
	}
	g.republish(ctx, open)
}

// standings returns what is known of the tweets. Without the database nothing is, as
// of new ones.
func (g *refreshGroup) standings(ctx context.Context, ids []string) map[string]engagement.PriorState {
	ctx, cancel := context.WithTimeout(ctx, standingsTimeout)
	defer cancel()
	known, err := g.store.Standings(ctx, ids)
	if err != nil {
		g.log.Warn().Err(err).Msg("reading what is known of refreshed tweets failed")
		return make(map[string]engagement.PriorState)
	}
	return known
}

// fail records why the tweets have no answer, and tells the callers. When it cannot be
// recorded, a caller who misses the event sees the request expire.
func (g *refreshGroup) fail(ctx context.Context, ids []string, f lookup.Failure) {
	if len(ids) == 0 {
		return
	}
	failures := make([]store.RefreshFailure, len(ids))
	for i, id := range ids {
		failures[i] = store.RefreshFailure{
			TweetID: id, Cause: string(f.Cause), Reason: f.Reason, RetryAt: f.RetryAt, Youngest: g.asked[id].RequestedAt,
		}
	}
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	// What was spent on them is in the ledger before it no longer counts as committed.
	_ = g.usage.record(recording, g.store, true) // it is tried again when the group is done
	if err := g.requests.FailRefreshes(recording, failures); err != nil {
		g.log.Warn().Err(err).Msg("recording failed refreshes failed")
	}
	for _, id := range ids {
		g.finish(ctx, queue.RefreshResult{TweetID: id, Outcome: engagement.RequestFailed, Cause: f.Cause, Reason: f.Reason, RetryAt: f.RetryAt})
	}
}

// finish acks a refresh, whose outcome is in Postgres if it changed anything, and tells
// the callers. It is acked first: a press of the button that sees the answer and
// comes again must not be coalesced with the one that is over.
func (g *refreshGroup) finish(ctx context.Context, done queue.RefreshResult) {
	d, ok := g.waiting[done.TweetID]
	if !ok {
		return
	}
	g.progress.refreshes.Add(1)
	since := d.Refresh().RequestedAt
	if since.IsZero() { // published straight to the queue: since it was admitted
		since = cmp.Or(g.asked[done.TweetID].RequestedAt, g.clock.Now())
	}
	g.observer.RefreshDone(done.Outcome, g.clock.Real(g.clock.Now().Sub(since)))
	done.RequestIDs = append(done.RequestIDs, d.Refresh().RequestID)

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	g.ack(ctx, d)
	if err := g.announcer.PublishResult(ctx, done); err != nil {
		g.log.Warn().Err(err).Str("tweet", done.TweetID).Msg("announcing a refresh failed")
	}
	g.log.Info().Str("tweet", done.TweetID).Str("outcome", string(done.Outcome)).Str("reason", done.Reason).
		Stringer("request", d.Refresh().RequestID).Msg("refresh")
}
