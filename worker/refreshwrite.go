package worker

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/worker/lookup"
)

// apply writes results and what their calls cost, and answers the callers who wait for
// them. Callers whose time is up while the database takes nothing are told so, and the
// results are kept until it does.
func (g *refreshGroup) apply(ctx context.Context, answered []lookup.Result) error {
	results := make([]store.RefreshResult, 0, len(answered))
	for _, r := range answered {
		if asked, ok := g.asked[r.TweetID]; ok {
			results = append(results, store.RefreshResult{
				TweetID: r.TweetID, RequestedAt: asked.RequestedAt, Kind: r.Kind, Observation: r.Observation, Reason: r.Reason, Call: r.Call,
			})
		}
	}
	return g.put(ctx, results)
}

// put writes results. What was kept already has no one who waits for it.
func (g *refreshGroup) put(ctx context.Context, results []store.RefreshResult) error {
	unwritten := lookup.Failure{Cause: engagement.CauseDatabase, Reason: "the database did not take it"}
	w := resultWriter[store.RefreshResult]{
		database: g.database, until: g.deadline, log: &g.log,
		write: g.write,
		refused: func(ctx context.Context, r store.RefreshResult, cause error) error {
			g.log.Error().Err(cause).Str("tweet", r.TweetID).Msg("result of a refresh refused by the database")
			if g.waiting != nil {
				g.fail(ctx, []string{r.TweetID}, unwritten)
			}
			return nil
		},
		failed: func(ctx context.Context) { _ = g.usage.record(ctx, g.store, true) },
		late:   func(ctx context.Context) { g.fail(ctx, slices.Collect(maps.Keys(g.waiting)), unwritten) },
	}
	if g.waiting != nil {
		w.forget = g.keeper.Forget
		w.keep = func(ctx context.Context, results []store.RefreshResult) ([]uint64, error) {
			return keep(ctx, g.keeper, keptBody{Refresh: true, Results: keptOfRefreshes(results)}, g.usage.named())
		}
	}
	if err := w.put(ctx, results); err != nil {
		return fmt.Errorf("apply refreshes: %w", err)
	}
	return nil
}

// write writes results in one transaction, and answers the callers.
func (g *refreshGroup) write(ctx context.Context, results []store.RefreshResult) error {
	ctx, span := g.tracer.Start(ctx, "apply refreshes", trace.WithAttributes(attribute.Int("tweets", len(results))))
	defer span.End()
	applied, err := g.store.ApplyRefresh(ctx, results, g.usage.named()...)
	if err != nil {
		return err
	}
	g.usage = nil
	for _, done := range doneOf(results, applied) {
		g.finish(ctx, *done)
	}
	g.observer.Wrote(applied)
	g.updates.publish(ctx, applied)
	return nil
}

// doneOf is the answer to the callers, by tweet.
func doneOf(results []store.RefreshResult, applied store.Applied) map[string]*queue.RefreshResult {
	answers := make(map[string]*queue.RefreshResult, len(results))
	for _, r := range results {
		answers[r.TweetID] = &queue.RefreshResult{TweetID: r.TweetID, Outcome: engagement.RequestUntracked, Reason: untracked}
	}
	for i := range applied.Rows {
		row := &applied.Rows[i]
		effect := row.Outcome.Effect()
		a, ok := answers[row.TweetID]
		if !ok || !effect.Known {
			continue
		}
		if a.Outcome != engagement.RequestUpdated { // one written row makes the answer
			a.Outcome, a.Reason = effect.Request, row.Reason
		}
		if at := row.After.ObservedAt; at.After(a.ObservedAt) {
			a.ObservedAt = at
		}
		a.Rows = append(a.Rows, queue.ResultRow{
			RowID: row.Row, ZoneID: &row.ZoneID,
			Before: row.Before.Metrics, After: row.After.Metrics,
			SnapshotCreated: row.Snapshot != nil,
			Tier:            row.After.Tier, TierChanged: row.TierChanged(),
			NextUpdateAt: row.After.NextUpdateAt,
		})
	}
	return answers
}
