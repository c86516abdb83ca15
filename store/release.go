package store

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Held returns those of rows that the claim still holds. Rows that were claimed
// anew after the lease ended, refreshed in between or deleted are not among
// them. It is a look without a lock, to save a paid call; [Store.Apply] checks
// again.
func (s *Store) Held(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]uuid.UUID, error) {
	const sql = `
		select tweet_db_id from public.twitter_engagement_tracking
		where tweet_db_id = any($1::uuid[]) and claim_id = $2::uuid
		order by tweet_db_id`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	found, err := s.db.pool.Query(ctx, sql, rows, claimID)
	if err != nil {
		return nil, fmt.Errorf("look which rows are held: %w", err)
	}
	held, err := pgx.CollectRows(found, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("look which rows are held: %w", err)
	}
	return held, nil
}

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
	return s.db.transact(ctx, "release a claim", func(ctx context.Context, t *tx) error {
		var (
			held  []uuid.UUID
			alive int
		)
		b := t.group()
		b.Queue(lock, rows, claimID).Query(collect(&held, pgx.RowTo[uuid.UUID]))
		b.Queue(exist, rows).QueryRow(func(r pgx.Row) error { return r.Scan(&alive) })
		if err := t.send(ctx, b); err != nil {
			return err
		}
		now := s.clock.Now()
		settledRows := len(held) + len(rows) - alive
		b = t.group()
		if len(held) > 0 {
			b.Queue(unclaim, held).Exec(wrote(len(held), "tracking rows"))
		}
		queueSettled(b, claimID, settled{rows: settledRows, skipped: settledRows}, now)
		if b.Len() == 0 {
			return nil
		}
		return t.send(ctx, b)
	})
}
