package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// Release gives rows back that were claimed and not looked up: they can be
// claimed again at once. Rows that the claim no longer holds are left alone.
func (s *Store) Release(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) error {
	const (
		lock = `
			select tweet_db_id from public.twitter_engagement_tracking
			where tweet_db_id = any($1::uuid[]) and claim_id = $2::uuid
			order by tweet_db_id for update`
		exist   = `select count(*)::int4 from public.twitter_tweets where id = any($1::uuid[])`
		unclaim = `
			update public.twitter_engagement_tracking set claim_id = null, claimed_until = null
			where tweet_db_id = any($1::uuid[])`
	)
	if len(rows) == 0 {
		return nil
	}
	return s.db.Transact(ctx, "release a claim", func(ctx context.Context, t *postgres.Tx) error {
		var (
			held  []uuid.UUID
			alive int
		)
		b := t.Group()
		b.Queue(lock, rows, claimID).Query(postgres.Collect(&held, pgx.RowTo[uuid.UUID]))
		b.Queue(exist, rows).QueryRow(func(r pgx.Row) error { return r.Scan(&alive) })
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		now := s.clock.Now()
		settledRows := len(held) + len(rows) - alive
		b = t.Group()
		if len(held) > 0 {
			b.Queue(unclaim, held).Exec(postgres.Wrote(len(held), "tracking rows"))
		}
		queueSettled(b, claimID, settled{rows: settledRows, skipped: settledRows}, now)
		if b.Len() == 0 {
			return nil
		}
		return t.Send(ctx, b)
	})
}
