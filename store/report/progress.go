package report

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
)

// BatchProgress is how much of some batches is done.
type BatchProgress struct {
	Known      int // batches with a record
	Open       int // of those, with unanswered rows and a live lease
	Found      int // tweets whose counts were written
	Missing    int // tweets that a valid answer lacked
	Unresolved int // tweets without a usable answer
	Skipped    int // rows released, refreshed or deleted in between
	Abandoned  int // unanswered rows of batches whose lease has ended
	Calls      store.Calls
}

// BatchProgress reads what became of the batches of claims.
func (r *Reader) BatchProgress(ctx context.Context, claims []uuid.UUID) (BatchProgress, error) {
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
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	err := r.db.QueryRow(ctx, sql, claims, r.clock.Now()).Scan(
		&p.Known, &p.Open, &p.Found, &p.Missing, &p.Unresolved, &p.Skipped, &p.Abandoned, &p.Calls.Count, &ms, &p.Calls.Billed, &p.Calls.Canaries)
	if err != nil {
		return BatchProgress{}, fmt.Errorf("read the progress of batches: %w", err)
	}
	p.Calls.Time = time.Duration(ms * float64(time.Millisecond))
	return p, nil
}
