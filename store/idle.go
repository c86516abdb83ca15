package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"gorgone/store/postgres"
)

// A tracking row repeats the zone of its tweet, and waits in the queue of that zone. The
// queue of a zone that is inactive, or that does not exist, is passed over as a whole: its
// rows stay as they are, due, so that all are served when the zone is active again. What
// stands in a wrong queue is put into the right one: by the claim that meets it in the
// queue of an active zone, and, of tweets that were moved away from an inactive zone, by
// the sweep.

// misplaced are due rows that a claim met in a queue where they do not belong.
type misplaced struct {
	elsewhere []uuid.UUID // their tweet is in another zone
	nowhere   []uuid.UUID // no tweet can be asked for; they go to the queue of no zone
}

func (m misplaced) rows() int { return len(m.elsewhere) + len(m.nowhere) }

// write puts the rows into the queues where they belong.
func (m misplaced) write(ctx context.Context, t *postgres.Tx) error {
	if m.rows() == 0 {
		return nil
	}
	b := t.Group()
	b.Queue(postgres.BackfillZones, m.elsewhere, uuid.Nil)
	b.Queue(`update public.twitter_engagement_tracking set zone_id = $2::uuid where tweet_db_id = any($1::uuid[])`, m.nowhere, uuid.Nil)
	if err := t.Send(ctx, b); err != nil {
		return fmt.Errorf("put rows with their zones: %w", err)
	}
	return nil
}
