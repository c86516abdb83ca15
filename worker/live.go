package worker

import (
	"context"

	"gorgone/queue"
	"gorgone/store"
)

// tell sends what was seen to those who watch, if anybody does. Rows on which
// nothing was learnt are left out.
func (w *Worker) tell(ctx context.Context, applied store.Applied) {
	if !w.Audience.Present() {
		return
	}
	seen := make([]queue.Seen, 0, len(applied.Rows))
	for i := range applied.Rows {
		row := &applied.Rows[i]
		s := queue.Seen{
			RowID: row.Row, ZoneID: row.ZoneID, TweetID: row.TweetID, Reason: row.Reason,
			Metrics: row.After.Metrics, At: row.After.ObservedAt, Tier: row.After.Tier, TierChanged: row.TierChanged(),
			NextUpdateAt: row.After.NextUpdateAt,
		}
		if row.Snapshot != nil {
			s.Velocity = row.Snapshot.Velocity
		}
		switch row.Outcome {
		case store.OutcomeApplied:
			s.Outcome = queue.Updated
		case store.OutcomeMissing, store.OutcomeUnproven:
			s.Outcome = queue.Missing
		case store.OutcomeDeleted:
			s.Outcome = queue.Deleted
		case store.OutcomeUnresolved, store.OutcomeOutOfRange, store.OutcomeZeroed, store.OutcomeFuture:
			s.Outcome = queue.Unresolved
		default:
			continue
		}
		seen = append(seen, s)
	}
	if len(seen) == 0 {
		return
	}
	if err := w.Announcer.PublishSeen(ctx, seen); err != nil {
		w.Log.Warn().Err(err).Msg("tell what was seen")
	}
}
