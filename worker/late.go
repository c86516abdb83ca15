package worker

import (
	"context"
	"fmt"

	"gorgone/engagement"
	"gorgone/store"
)

// applyLate writes answers whose rows the batch has lost: a refresh answered them, or the late
// answer of another batch, or they were claimed again when the lease had ended. Each answer was
// paid for, and the newest is what counts, whoever asked and whoever was first to write.
func (j *job) applyLate(ctx context.Context) error {
	late := j.late
	j.late = nil
	w := resultWriter[store.RefreshResult]{
		database: j.database, until: j.batch.Until, slot: true, log: &j.log,
		write: func(ctx context.Context, results []store.RefreshResult) error {
			applied, err := j.store.ApplyRefresh(ctx, results)
			if err != nil {
				return fmt.Errorf("apply late answers: %w", err)
			}
			j.stats.count(applied, &j.log)
			j.observer.Wrote(applied)
			j.updates.publish(ctx, applied)
			return nil
		},
		refused: func(_ context.Context, r store.RefreshResult, cause error) error {
			j.log.Error().Err(cause).Str("tweet", r.TweetID).Msg("late result refused by the database")
			return nil // the row is another's, who deals with it
		},
		failed: func(context.Context) {},
		late:   func(context.Context) {},
	}
	return w.put(ctx, late)
}

// lateResults returns those results that found their tweet and none of its rows.
func lateResults(results []store.Result, applied store.Applied) (late []store.RefreshResult) {
	lost := make(map[string]bool)
	for i := range applied.Rows {
		if applied.Rows[i].Outcome == engagement.RowLostClaim {
			lost[applied.Rows[i].TweetID] = true
		}
	}
	for _, r := range results {
		if lost[r.TweetID] && r.Kind == store.Found {
			late = append(late, lateResult(r))
		}
	}
	return late
}

// lateResult is a result as that of a refresh. Of requests that are open it answers those
// made before the look-up.
func lateResult(r store.Result) store.RefreshResult {
	return store.RefreshResult{
		TweetID: r.TweetID, RequestedAt: r.Observation.At, Kind: r.Kind, Observation: r.Observation, Reason: r.Reason, Call: r.Call, Late: true,
	}
}
