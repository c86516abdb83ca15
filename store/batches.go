package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/bill"
)

// aheadBy is how far ahead the time of what has happened may lie: as much as clocks differ.
const aheadBy = time.Minute

// throughputWindow is the real time over which the throughput is measured.
const throughputWindow = time.Minute

const insertBatches = `
	insert into gorgone.batches (claim_id, claimed_at, claimed_until, tweets, rows, open_rows, shares, key_client)
	select u.claim_id, $4::timestamptz, $5::timestamptz, u.tweets, u.rows, u.rows, u.shares::jsonb, u.key_client
	from unnest($1::uuid[], $2::int4[], $3::int4[], $6::text[], $7::uuid[]) u (claim_id, tweets, rows, shares, key_client)`

// updateBatch counts what was answered, and closes a batch with nothing left open.
const updateBatch = `
	update gorgone.batches set
		open_rows  = greatest(open_rows - $2::int4, 0),
		found      = found + $3::int4,
		missing    = missing + $4::int4,
		unresolved = unresolved + $5::int4,
		skipped    = skipped + $6::int4,
		calls      = calls + $8::int4,
		call_ms    = call_ms + $9::float8,
		failed_calls = failed_calls + $10::int4,
		billed     = billed + $11::int4,
		controls   = controls + $12::int4,
		odd_counts = odd_counts + $13::int4,
		done_at    = case when open_rows <= $2::int4 then coalesce(done_at, $7::timestamptz) else done_at end
	where claim_id = $1::uuid`

// settled counts what became of rows of a batch.
type settled struct {
	rows                       int // no longer open: answered, given back, refreshed or deleted
	found, missing, unresolved int // tweets
	skipped                    int // rows among rows that were not answered
	oddCounts                  int // tweets among found with counters that were not read or not believed
	spent                      []Calls
}

// Calls is what look-ups cost at one provider.
type Calls = bill.Calls

func queueSettled(b *pgx.Batch, claim uuid.UUID, n settled, now time.Time) {
	spent := bill.Total(n.spent)
	if n.rows > 0 || spent.Count > 0 {
		b.Queue(updateBatch, claim, n.rows, n.found, n.missing, n.unresolved, n.skipped, now,
			spent.Count, float64(spent.Time)/float64(time.Millisecond), spent.Failed, spent.Billed, spent.Canaries, n.oddCounts)
	}
}

// The first part reads open batches only, the second those done in the window:
// both by index, however many batches are kept. What a clock ahead of its time has written
// counts for nothing.
const selectOutstanding = `
	select o.batches::int4, o.tweets::int4, d.answered::int8, d.since
	from
		(select count(*) batches, coalesce(sum(ceil(tweets * open_rows / rows::float8)), 0) tweets
		 from gorgone.batches where done_at is null and claimed_until > $1::timestamptz
			and claimed_at <= $1::timestamptz + $3::interval%[1]s) o,
		(select coalesce(sum(found + missing), 0) answered, min(claimed_at) since
		 from gorgone.batches where done_at > $2::timestamptz and done_at <= $1::timestamptz + $3::interval%[1]s) d`

// QueueOutstanding adds the statement that reads what is outstanding at now, by all keys.
func QueueOutstanding(b *pgx.Batch, clock Clock, now time.Time, o *Outstanding) {
	queueOutstanding(b, clock, now, "", o)
}

// bySharedKey are the batches of the shared key.
const bySharedKey = ` and key_client is null`

func queueOutstanding(b *pgx.Batch, clock Clock, now time.Time, which string, o *Outstanding) {
	window := clock.Engine(throughputWindow)
	b.Queue(fmt.Sprintf(selectOutstanding, which), now, now.Add(-window), aheadBy).QueryRow(func(r pgx.Row) error {
		var (
			answered int64
			since    *time.Time
		)
		if err := r.Scan(&o.Batches, &o.Tweets, &answered, &since); err != nil {
			return err
		}
		if since == nil || answered == 0 {
			return nil
		}
		// A window that work began in only lately is cut to that part.
		took := min(now.Sub(*since), window)
		o.DonePerSecond = float64(answered) / max(float64(took)/float64(clock.Engine(time.Second)), 1)
		return nil
	})
}

// PruneBatches deletes the records of batches that were done, or whose lease
// ended, before the given engine time; of those that are not done only such as count for
// no budget any more. It returns how many.
func (s *Store) PruneBatches(ctx context.Context, before time.Time) (int, error) {
	const sql = `
		delete from gorgone.batches
		where done_at < $1::timestamptz or (done_at is null and claimed_until < least($1::timestamptz, $2::timestamptz))`
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	open := s.clock.Now().Add(-s.clock.Engine(writeLate))
	tag, err := s.db.Exec(ctx, sql, before, open)
	if err != nil {
		return 0, fmt.Errorf("prune the records of batches: %w", err)
	}
	return int(tag.RowsAffected()), nil
}
