package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
)

// refresh handles refreshes that waited together, and never panics.
func (w *Worker) refresh(ctx, stop context.Context, group []*queue.RefreshDelivery) {
	group = w.worthwhile(ctx, group)
	r := &refresher{Worker: w, stop: stop, waiting: make(map[string]*queue.RefreshDelivery, len(group))}
	var alive []func()
	var asked []trace.Link
	for _, d := range group {
		asked = append(asked, traceparent.Link(ctx, d.Refresh().Trace))
		alive = append(alive, d.KeepAlive(ctx, nil))
		r.waiting[d.Refresh().TweetID] = d
		if end := d.Refresh().Deadline; end.After(r.deadline) {
			r.deadline = end
		}
	}
	ctx, span := w.Tracer.Start(ctx, "refresh group", trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(asked...))
	defer span.End()
	if err := guard(func() { r.run(ctx) }); err != nil {
		w.Log.Error().Err(err).Msg("refreshes cannot be handled")
		r.failAll(ctx, slices.Collect(maps.Keys(r.waiting)), r.failure(err))
	}
	r.recordRest(ctx, true, r.spent)
	// What is still waiting was neither answered nor refused: it is given back.
	for id, d := range r.waiting {
		if err := d.Nak(0); err != nil {
			w.Log.Warn().Err(err).Str("tweet", id).Msg("give back refresh")
		}
	}
	for _, stopped := range alive {
		stopped()
	}
}

// refresher is the work on one group of refreshes.
type refresher struct {
	*Worker
	stop     context.Context //nolint:containedctx // lives as long as the group is handled
	deadline time.Time       // engine time; after it nobody waits for an answer
	waiting  map[string]*queue.RefreshDelivery
	spent    []store.Calls   // not recorded yet
	again    map[string]bool // tweets asked for again beside a control
	known    map[string]engagement.Standing
}

// run answers what it can. What it leaves waiting is given back to the queue.
func (r *refresher) run(ctx context.Context) {
	now := r.Clock.Now()
	var ids []string
	for id, d := range r.waiting {
		if now.After(d.Refresh().Deadline) {
			r.failAll(ctx, []string{id}, failure{queue.CauseLate, "nobody took it in time", time.Time{}})
			continue
		}
		ids = append(ids, id)
	}
	ids = r.unanswered(ctx, ids)
	r.known = r.standings(ctx, ids)
	left := func() time.Duration { return r.Clock.Real(r.deadline.Sub(r.Clock.Now())) }
	g := gate{lane: queue.LaneRefresh, stop: r.stop, left: left, hold: left}
	todo := newAgenda(ids)
	for {
		next, ok := todo.next()
		if !ok {
			return
		}
		answer := r.ask(ctx, g, next.ids, r.known)
		todo.add(group{ids: r.confirm(&answer)})
		r.spent = store.AddCalls(r.spent, answer.calls())
		failed, unasked, err := answer.failed, answer.unasked, answer.err
		if err := r.apply(ctx, r.results(answer)); err != nil {
			r.Log.Warn().Err(err).Msg("refreshes not written")
			return
		}
		switch r.judge(err, next.tries, len(failed)) {
		case done:
			failed = todo.answered(next)
		case retry:
			if r.pauseFor(ctx, engagement.Backoff(next.tries, refreshRetryBase, refreshRetryCeiling, r.Random())) != nil {
				return
			}
			todo.again(next, failed, unasked)
			continue
		case elsewhere:
			next.tries--
			todo.again(next, failed, unasked)
			continue
		case split:
			failed = todo.split(next, failed, unasked, err)
		case wait, park, leave:
			if errors.Is(err, errStopping) || ctx.Err() != nil {
				return
			}
			// Somebody is waiting: a true reason now is worth more than
			// numbers after the pause.
			failed = slices.Concat(failed, unasked, todo.drop(next))
		case fail:
			todo.failed(next, unasked)
		}
		if len(failed) > 0 {
			r.failAll(ctx, failed, r.failure(cmp.Or(err, next.because)))
		}
	}
}

// confirm takes out of an answer what it lacks and what nothing follows from, to be
// asked for again beside a control. Asking every lone tweet beside one at once would
// double the price of most refreshes, whose tweet is there.
func (r *refresher) confirm(a *asked) (again []string) {
	if a.err != nil || a.controls > 0 {
		return nil
	}
	a.unproven = slices.DeleteFunc(a.unproven, func(m twitter.Missing) bool {
		if r.again[m.ID] {
			return false
		}
		if r.again == nil {
			r.again = make(map[string]bool)
		}
		r.again[m.ID] = true
		again = append(again, m.ID)
		return true
	})
	return again
}

// results turns an answer into what the store writes.
func (r *refresher) results(a asked) (results []store.RefreshResult) {
	add := func(id string, call int, kind store.Kind, o engagement.Observation, reason string) {
		d, ok := r.waiting[id]
		if !ok {
			return
		}
		results = append(results, store.RefreshResult{
			TweetID: id, RequestedAt: d.Refresh().RequestedAt, Kind: kind, Observation: o, Reason: reason, Call: call,
		})
	}
	for _, f := range a.Found {
		add(f.ID, f.Call, store.Found, engagement.Observation{At: f.At, Metrics: f.Metrics, Provider: a.Provider}, "")
	}
	for _, m := range a.Missing {
		add(m.ID, m.Call, store.Missing, engagement.Observation{At: m.At}, m.Reason)
	}
	for _, m := range a.unproven {
		add(m.ID, m.Call, store.Unproven, engagement.Observation{At: m.At}, m.Reason)
	}
	for _, u := range a.Unresolved {
		add(u.ID, 0, store.Unresolved, engagement.Observation{}, u.Err.Error())
	}
	return results
}

// apply writes the results and answers those who wait for them.
func (r *refresher) apply(ctx context.Context, results []store.RefreshResult) error {
	if len(results) == 0 {
		return nil
	}
	ctx, span := r.Tracer.Start(ctx, "apply refreshes", trace.WithAttributes(attribute.Int("tweets", len(results))))
	defer span.End()
	var applied store.Applied
	store.Bill(r.spent)
	for tries := 1; ; tries++ {
		var err error
		applied, err = r.Sink.ApplyRefresh(ctx, results, r.spent...)
		r.noteOutage(err)
		if err == nil {
			r.spent = nil
			break
		}
		if !store.Unavailable(err) || r.Clock.Now().After(r.deadline) {
			ids := make([]string, len(results))
			for i, res := range results {
				ids[i] = res.TweetID
			}
			r.failAll(ctx, ids, failure{queue.CauseDatabase, "the database did not take it", time.Time{}})
			return fmt.Errorf("apply refreshes: %w", err)
		}
		if err := r.pauseFor(ctx, engagement.Backoff(tries, retryBase, retryCeiling, r.Random())); err != nil {
			return err
		}
	}
	answers := make(map[string]*queue.Done, len(results))
	for _, res := range results {
		answers[res.TweetID] = &queue.Done{TweetID: res.TweetID, Outcome: queue.Untracked, Reason: "no active zone tracks the tweet"}
	}
	for i := range applied.Rows {
		if a, ok := answers[applied.Rows[i].TweetID]; ok {
			report(a, &applied.Rows[i])
		}
	}
	for _, a := range answers {
		r.finish(ctx, *a)
	}
	r.Observer.Wrote(applied)
	r.tell(ctx, applied)
	return nil
}

// report adds what a refresh did to one row to its answer.
func report(a *queue.Done, row *store.RowOutcome) {
	outcome := queue.Unresolved
	switch row.Outcome {
	case store.OutcomeApplied:
		outcome = queue.Updated
	case store.OutcomeNewer, store.OutcomeStale:
		outcome = queue.Current
	case store.OutcomeMissing, store.OutcomeUnproven:
		outcome = queue.Missing
	case store.OutcomeDeleted:
		outcome = queue.Deleted
	case store.OutcomeVanished, store.OutcomeLostClaim:
		return
	case store.OutcomeUnresolved, store.OutcomeOutOfRange, store.OutcomeZeroed, store.OutcomeFuture:
	}
	if a.Outcome != queue.Updated { // one written row makes the answer
		a.Outcome, a.Reason = outcome, row.Reason
	}
	if at := row.After.ObservedAt; at.After(a.ObservedAt) {
		a.ObservedAt = at
	}
	a.Rows = append(a.Rows, queue.DoneRow{
		RowID: row.Row, ZoneID: &row.ZoneID,
		Before: row.Before.Metrics, After: row.After.Metrics,
		SnapshotCreated: row.Snapshot != nil,
		Tier:            row.After.Tier, TierChanged: row.TierChanged(),
		NextUpdateAt: row.After.NextUpdateAt,
	})
}

// finish acks a refresh, whose outcome is in Postgres if it changed anything, and
// tells those who wait. It is acked first: a press of the button that sees the
// answer and comes again must not be coalesced with the one that is over.
func (r *refresher) finish(ctx context.Context, a queue.Done) {
	d, ok := r.waiting[a.TweetID]
	if !ok {
		return
	}
	delete(r.waiting, a.TweetID)
	r.progress.refreshes.Add(1)
	r.Observer.RefreshDone(a.Outcome, r.Clock.Real(r.Clock.Now().Sub(d.Refresh().RequestedAt)))
	a.RequestIDs = append(a.RequestIDs, d.Refresh().RequestID)

	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	if err := d.Ack(ctx); err != nil {
		r.Log.Warn().Err(err).Str("tweet", a.TweetID).Msg("ack refresh")
	}
	if err := r.Announcer.PublishDone(ctx, a); err != nil {
		r.Log.Warn().Err(err).Str("tweet", a.TweetID).Msg("announce refresh")
	}
	r.Log.Info().Str("tweet", a.TweetID).Str("outcome", string(a.Outcome)).Str("reason", a.Reason).
		Stringer("request", d.Refresh().RequestID).Msg("refresh")
}

// unanswered acks refreshes whose requests another look-up has answered in the
// meantime, the one that they came too late to be coalesced with, and returns the
// others.
func (r *refresher) unanswered(ctx context.Context, ids []string) []string {
	requests := make([]uuid.UUID, len(ids))
	for i, id := range ids {
		requests[i] = r.waiting[id].Refresh().RequestID
	}
	answered, err := r.Requests.AnsweredRefreshes(ctx, requests)
	if err != nil {
		r.Log.Warn().Err(err).Msg("refreshes may be looked up twice")
		return ids
	}
	return slices.DeleteFunc(ids, func(id string) bool {
		d := r.waiting[id]
		if !slices.Contains(answered, d.Refresh().RequestID) {
			return false
		}
		delete(r.waiting, id)
		if err := d.Ack(ctx); err != nil {
			r.Log.Warn().Err(err).Str("tweet", id).Msg("ack refresh")
		}
		return true
	})
}

// A refresh is asked for again sooner than a batch: somebody waits.
const (
	refreshRetryBase    = 100 * time.Millisecond
	refreshRetryCeiling = time.Second
)

// standings returns how the tweets stand. Without the database's help nothing is
// known of them, as of new ones.
func (r *refresher) standings(ctx context.Context, ids []string) map[string]engagement.Standing {
	ctx, cancel := context.WithTimeout(ctx, askStore)
	defer cancel()
	known, err := r.Sink.Standings(ctx, ids)
	if err != nil {
		r.Log.Warn().Err(err).Msg("look how refreshed tweets stand")
		return make(map[string]engagement.Standing)
	}
	return known
}

// failure is why refreshes have no answer.
type failure struct {
	cause   queue.Cause
	reason  string
	retryAt time.Time // database time; zero: not known
}

// failAll records why the tweets have no answer, and tells those who wait. When
// it cannot be recorded, who does not hear of it sees the request expire.
func (r *refresher) failAll(ctx context.Context, ids []string, f failure) {
	if len(ids) == 0 {
		return
	}
	failures := make([]store.RefreshFailure, len(ids))
	for i, id := range ids {
		failures[i] = store.RefreshFailure{TweetID: id, Cause: string(f.cause), Reason: f.reason, RetryAt: f.retryAt}
	}
	recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	if err := r.Requests.FailRefreshes(recording, failures); err != nil {
		r.Log.Warn().Err(err).Msg("record failed refreshes")
	}
	for _, id := range ids {
		r.finish(ctx, queue.Done{TweetID: id, Outcome: queue.Failed, Cause: f.cause, Reason: f.reason, RetryAt: f.retryAt})
	}
}

// failure says in a few words why a look-up failed.
func (r *refresher) failure(err error) failure {
	var limited *twitter.RateLimitError
	var paused *queue.PausedError
	var stopped *queue.OpenError
	var held *HoldError
	switch {
	case errors.As(err, &limited):
		after := limited.After
		if after <= 0 {
			after = r.cfg.RatePause
		}
		return failure{queue.CauseRateLimited, "paused: " + queue.PauseRateLimit, r.Clock.Database().Add(after)}
	case errors.As(err, &paused):
		return failure{queue.CauseRateLimited, "paused: " + paused.Reason, paused.Until}
	case errors.As(err, &held):
		return failure{queue.CausePaused, held.Reason, held.Until}
	case errors.As(err, &stopped):
		return failure{stopped.Cause, stopped.Reason, stopped.Next}
	case errors.Is(err, twitter.ErrOutOfCredit):
		return failure{queue.CauseOutOfCredit, reasonNoCredit, time.Time{}}
	case errors.Is(err, twitter.ErrUnauthorized):
		return failure{queue.CauseKeyRefused, reasonKeyRefused, time.Time{}}
	case errors.Is(err, context.DeadlineExceeded):
		return failure{queue.CauseLate, "no call was possible in time", time.Time{}}
	default:
		return failure{queue.CauseProvider, err.Error(), time.Time{}}
	}
}
