package store

import (
	"context"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// lockTracked selects the tracking rows among $1, whoever holds them.
const lockTracked = `
	select ` + trackingRow + ` from public.twitter_engagement_tracking k
	where k.tweet_db_id = any($1::uuid[])
	order by k.tweet_db_id for update`

// revive lets rows whose tweets count as gone be looked at once more. It is a
// transaction of its own, so that rows are locked in the order of all writers.
func (s *Store) revive(ctx context.Context, rows []uuid.UUID, required map[string]bool) error {
	if len(rows) == 0 {
		return nil
	}
	return s.db.Transact(ctx, "revive tweets", func(ctx context.Context, t *postgres.Tx) error {
		held, err := lockRows(ctx, t, lockTracked, []any{rows}, lockNamed, []any{rows}, nil)
		if err != nil {
			return err
		}
		now := s.clock.Now()
		var writes []write
		for id, r := range held.rows {
			if r.tracking.Gone() {
				writes = append(writes, write{outcome: &AppliedRow{
					Row: id, After: engagement.Revive(s.policyOf(r.zone), r.tracking, now),
				}})
			}
		}
		if len(writes) == 0 {
			return nil
		}
		b := t.Group()
		if err := queueWrites(b, writes, required, now); err != nil {
			return err
		}
		return t.Send(ctx, b)
	})
}
