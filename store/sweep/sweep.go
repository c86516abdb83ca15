// Package sweep looks through the tracking table, some pages a claim, for rows that no index
// leads to: those of tweets that were moved out of an inactive zone, and those that a clock
// ahead of its time has written, which would wait until time has caught up.
package sweep

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

// Pages is how many pages a claim looks through: one or two thousand rows.
const Pages = 64

// SelectMisplaced locks the live rows on some pages that stand in the queue of one of the
// given zones while their tweet is in another. It must stay a scan of these pages alone, as
// the next.
const SelectMisplaced = `
	select k.tweet_db_id
	from public.twitter_engagement_tracking k
	cross join lateral (
		select coalesce(w.zone_id, $4::uuid) zone_id, w.tweet_id from public.twitter_tweets w where w.id = k.tweet_db_id offset 0) w
	where k.ctid >= $1::text::tid and k.ctid < $2::text::tid
	and k.zone_id = any($3::uuid[]) and k.next_update_at is not null
	and w.zone_id <> k.zone_id and w.tweet_id ~ '^[1-9][0-9]{0,18}$'
	and (length(w.tweet_id) < 19 or w.tweet_id <= '9223372036854775807' collate "C")
	for update of k skip locked`

// SelectAhead locks the rows on some pages with times that cannot be right now: of what
// was seen after $3, of what is planned after $4 (failures $5, checks of deleted tweets $6, claims $7).
const SelectAhead = `
	select k.tweet_db_id from public.twitter_engagement_tracking k
	where k.ctid >= $1::text::tid and k.ctid < $2::text::tid
	and (greatest(k.last_updated_at, k.snapshot_at, k.last_missed_at) > $3::timestamptz
		or k.next_update_at > $4::timestamptz or k.claimed_until > $7::timestamptz
		or k.gone_reason is null and k.retry_at > case when k.attempts > 0 and k.misses = 0 then $5::timestamptz else $4::timestamptz end
		or k.gone_reason is not null and k.retry_at > $6::timestamptz)
	for update of k skip locked`

// mendAhead puts rows right whose times are ahead. What was seen ahead was seen now, at $2, and
// is planned for as long after that as it was. What is planned too far ahead otherwise is due,
// as is a tweet that was called gone, or is cold, since a time that is ahead.
const mendAhead = `
	update public.twitter_engagement_tracking k set
		last_updated_at = case when k.last_updated_at > $2::timestamptz then $2::timestamptz else k.last_updated_at end,
		snapshot_at = case when k.snapshot_at > $2::timestamptz then $2::timestamptz else k.snapshot_at end,
		unrecorded_at = case when k.unrecorded_at = k.snapshot_at then least(k.snapshot_at, $2::timestamptz) end,
		last_missed_at = case when k.last_missed_at > $2::timestamptz then $2::timestamptz else k.last_missed_at end,
		next_update_at = case
			when k.gone_reason is not null then null
			when k.last_updated_at > $2::timestamptz and k.next_update_at between k.last_updated_at and k.last_updated_at + $4::interval
				then k.next_update_at - (k.last_updated_at - $2::timestamptz)
			else $2::timestamptz end,
		retry_at = case when k.gone_reason is not null then $2::timestamptz end,
		claim_id = case when k.claimed_until > $3::timestamptz then null else k.claim_id end,
		claimed_until = case when k.claimed_until > $3::timestamptz then null else k.claimed_until end
	where k.tweet_db_id = any($1::uuid[])`

const (
	// aheadBy is how far in the future a time of what has happened may lie.
	aheadBy = time.Minute

	// plannedFor is, in engine time, longer than any look-up is planned ahead.
	plannedFor = 49 * time.Hour
)

// Bounds are how far ahead of now, in engine time, rows may be planned or claimed.
type Bounds struct {
	Plans, Failures, Claims time.Duration
}

// Sweeper remembers how far it has come. It is safe for concurrent use.
type Sweeper struct{ page atomic.Int64 }

// Next puts rows right on the pages after those of the last time. The zones are those that
// are inactive and have something due. It reports whether it made rows due.
func (w *Sweeper) Next(ctx context.Context, t *postgres.Tx, now time.Time, bounds Bounds, idle []uuid.UUID) (due bool, err error) {
	from := w.page.Load()
	first, end := fmt.Sprintf("(%d,0)", from), fmt.Sprintf("(%d,0)", from+Pages)
	var (
		pages        int64
		moved, ahead []uuid.UUID
	)
	plans, claims := now.Add(max(bounds.Plans, plannedFor)), now.Add(bounds.Claims+aheadBy)
	b := t.Group()
	b.Queue(`select pg_relation_size('public.twitter_engagement_tracking') / current_setting('block_size')::int8`).
		QueryRow(func(r pgx.Row) error { return r.Scan(&pages) })
	if len(idle) > 0 {
		b.Queue(SelectMisplaced, first, end, idle, uuid.Nil).Query(postgres.Collect(&moved, pgx.RowTo[uuid.UUID]))
	}
	b.Queue(SelectAhead, first, end, now.Add(aheadBy), plans, now.Add(bounds.Failures+aheadBy), now.Add(engagement.LastRecheck+plannedFor), claims).
		Query(postgres.Collect(&ahead, pgx.RowTo[uuid.UUID]))
	if err := t.Send(ctx, b); err != nil {
		return false, fmt.Errorf("look through some rows: %w", err)
	}
	if from += Pages; from >= pages {
		from = 0
	}
	w.page.Store(from)
	if len(ahead)+len(moved) == 0 {
		return false, nil
	}
	b = t.Group()
	b.Queue(mendAhead, ahead, now, claims, plannedFor)
	b.Queue(postgres.BackfillZones, moved, uuid.Nil)
	if err := t.Send(ctx, b); err != nil {
		return false, fmt.Errorf("mend rows with times ahead or in a wrong zone: %w", err)
	}
	return true, nil
}
