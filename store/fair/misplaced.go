package fair

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

// Misplaced are due rows that a claim met in a queue where they do not belong.
type Misplaced struct {
	Elsewhere []uuid.UUID // their tweet is in another zone
	Nowhere   []uuid.UUID // no tweet can be asked for; they go to the queue of no zone
}

// Rows returns how many there are.
func (m Misplaced) Rows() int { return len(m.Elsewhere) + len(m.Nowhere) }

// Write puts the rows into the queues where they belong.
func (m Misplaced) Write(ctx context.Context, t *postgres.Tx) error {
	if m.Rows() == 0 {
		return nil
	}
	b := t.Group()
	b.Queue(postgres.BackfillZones, m.Elsewhere, uuid.Nil)
	b.Queue(`update public.twitter_engagement_tracking set zone_id = $2::uuid where tweet_db_id = any($1::uuid[])`, m.Nowhere, uuid.Nil)
	if err := t.Send(ctx, b); err != nil {
		return fmt.Errorf("put rows with their zones: %w", err)
	}
	return nil
}
