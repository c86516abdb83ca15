package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// BatchProgress is how far a number of batches has come.
type BatchProgress struct {
	Known      int // batches there is a record of
	Open       int // of those, with rows not answered yet and a lease that lasts
	Found      int // tweets that were answered with their counts
	Missing    int // tweets that a valid answer lacked
	Unresolved int // tweets without a usable answer
	Skipped    int // rows given back, refreshed or deleted in between
	Abandoned  int // rows of batches whose lease ended before an answer
	Calls      Calls
}

// BatchProgress reads what became of batches, by their claims.
func (s *Store) BatchProgress(ctx context.Context, claims []uuid.UUID) (BatchProgress, error) {
	const sql = `
		select count(*)::int4,
			(count(*) filter (where done_at is null and claimed_until > $2::timestamptz))::int4,
			coalesce(sum(found), 0)::int4, coalesce(sum(missing), 0)::int4,
			coalesce(sum(unresolved), 0)::int4, coalesce(sum(skipped), 0)::int4,
			coalesce(sum(open_rows) filter (where done_at is null and claimed_until <= $2::timestamptz), 0)::int4,
			coalesce(sum(calls), 0)::int4, coalesce(sum(call_ms), 0)::float8, coalesce(sum(billed), 0)::int4,
			coalesce(sum(controls), 0)::int4
		from gorgone.batches where claim_id = any($1::uuid[])`
	var (
		p  BatchProgress
		ms float64
	)
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	err := s.db.pool.QueryRow(ctx, sql, claims, s.clock.Now()).Scan(
		&p.Known, &p.Open, &p.Found, &p.Missing, &p.Unresolved, &p.Skipped, &p.Abandoned, &p.Calls.Count, &ms, &p.Calls.Billed, &p.Calls.Controls)
	if err != nil {
		return BatchProgress{}, fmt.Errorf("read the progress of batches: %w", err)
	}
	p.Calls.Time = time.Duration(ms * float64(time.Millisecond))
	return p, nil
}
