package worker

import (
	"context"

	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

// updates publishes what was learnt about rows to live pages.
type updates struct {
	announcer   Announcer
	subscribers Subscribers
	log         zerolog.Logger
}

// publish sends an update event, if there are subscribers. Rows on which nothing was
// learnt are left out.
func (u updates) publish(ctx context.Context, applied store.Applied) {
	if !u.subscribers.Present() {
		return
	}
	seen := make([]queue.RowUpdate, 0, len(applied.Rows))
	for i := range applied.Rows {
		row := &applied.Rows[i]
		effect := row.Outcome.Effect()
		if effect.Result == engagement.ResultSkipped {
			continue
		}
		s := queue.RowUpdate{
			RowID: row.Row, ZoneID: row.ZoneID, TweetID: row.TweetID, Outcome: effect.Request, Reason: row.Reason,
			Metrics: row.After.Metrics, At: row.After.ObservedAt, Tier: row.After.Tier, TierChanged: row.TierChanged(),
			NextUpdateAt: row.After.NextUpdateAt,
		}
		if row.Snapshot != nil {
			s.Velocity = row.Snapshot.Velocity
		}
		seen = append(seen, s)
	}
	if len(seen) == 0 {
		return
	}
	if err := u.announcer.PublishUpdates(ctx, seen); err != nil {
		u.log.Warn().Err(err).Msg("publishing an update event failed")
	}
}
