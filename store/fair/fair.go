// Package fair finds and locks the tracking rows that are due, so that no zone waits for
// another. Package store claims them.
package fair

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	// BackfillChunk is how many due rows without a zone are given theirs at once, and
	// backfillRounds how often a claim does so.
	BackfillChunk  = 5000
	backfillRounds = 30
)

// PriorColumns are the columns of tracking (as k) of an [engagement.PriorState].
const PriorColumns = `k.last_updated_at is not null, k.misses > 0 or k.doubts > 0 or k.gone_reason is not null`

// Row is a row that can be claimed.
type Row struct {
	ID   uuid.UUID
	Zone uuid.UUID
	Due  time.Time

	Prior engagement.PriorState
}

// SelectZoneless finds due rows that do not know their zone yet: the product
// inserted them.
const SelectZoneless = `
	select tweet_db_id
	from public.twitter_engagement_tracking
	where zone_id is null and next_update_at is not null
	and greatest(next_update_at, retry_at) <= $1::timestamptz
	order by zone_id, greatest(next_update_at, retry_at)
	limit $2::int4
	for update skip locked`

// SelectZones lists the zones that have something due, and whether they are
// active. It goes from one zone to the next by the index gorgone_tracking_zone_due:
// two probes a zone that has live rows, however many rows these are.
const SelectZones = `
	with recursive live (id) as (
		(select zone_id from public.twitter_engagement_tracking
			where next_update_at is not null and zone_id is not null order by zone_id limit 1)
		union all
		select (select k.zone_id from public.twitter_engagement_tracking k
			where k.next_update_at is not null and k.zone_id > live.id order by k.zone_id limit 1)
		from live where live.id is not null
	)
	select live.id, z.id is not null and ` + postgres.ActiveZone + `
	from live left join public.zones z on z.id = live.id
	where live.id is not null and exists (
		select from public.twitter_engagement_tracking k
		where k.zone_id = live.id and k.next_update_at is not null
		and greatest(k.next_update_at, k.retry_at) <= $1::timestamptz)`

// SelectDue locks unclaimed due rows of each zone, up to as many as $3 says of it, the
// longest overdue first. It must stay a scan of the index gorgone_tracking_zone_due for
// each zone, whose expression it repeats; see docs/data-model.md. Rows that others
// have locked are another claim's work already and are passed over.
const SelectDue = `
	select d.tweet_db_id, u.zone_id, d.due, d.observed, d.doubted
	from unnest($2::uuid[], $3::int4[]) u (zone_id, most)
	cross join lateral (
		select k.tweet_db_id, greatest(k.next_update_at, k.retry_at) due, ` + PriorColumns + `
		from public.twitter_engagement_tracking k
		where k.zone_id = u.zone_id and k.next_update_at is not null
		and greatest(k.next_update_at, k.retry_at) <= $1::timestamptz
		and (k.claimed_until is null or k.claimed_until <= $1::timestamptz)
		order by greatest(k.next_update_at, k.retry_at)
		limit u.most
		for update skip locked
	) d (tweet_db_id, due, observed, doubted)`

// selectAnyDue tells whether zones have an unclaimed due row, by the same index.
const selectAnyDue = `
	select exists (
		select from unnest($2::uuid[]) u (zone_id)
		cross join lateral (
			select from public.twitter_engagement_tracking k
			where k.zone_id = u.zone_id and k.next_update_at is not null
			and greatest(k.next_update_at, k.retry_at) <= $1::timestamptz
			and (k.claimed_until is null or k.claimed_until <= $1::timestamptz)
			order by greatest(k.next_update_at, k.retry_at)
			limit 1
		) d)`

// AnyDue reports whether the zones have something that could be claimed.
func AnyDue(ctx context.Context, t *postgres.Tx, now time.Time, zones []uuid.UUID) (due bool, err error) {
	if len(zones) == 0 {
		return false, nil
	}
	b := t.Group()
	b.Queue(selectAnyDue, now, zones).QueryRow(func(r pgx.Row) error { return r.Scan(&due) })
	if err := t.Send(ctx, b); err != nil {
		return false, fmt.Errorf("look for due rows: %w", err)
	}
	return due, nil
}

// Zones returns the active and the inactive zones that have something due.
func Zones(ctx context.Context, t *postgres.Tx, now time.Time) (active, idle []uuid.UUID, err error) {
	b := t.Group()
	b.Queue(SelectZones, now).Query(func(rows pgx.Rows) error {
		var (
			zone     uuid.UUID
			isActive bool
		)
		_, err := pgx.ForEachRow(rows, []any{&zone, &isActive}, func() error {
			if isActive {
				active = append(active, zone)
			} else {
				idle = append(idle, zone)
			}
			return nil
		})
		return err
	})
	if err := t.Send(ctx, b); err != nil {
		return nil, nil, fmt.Errorf("list the zones with something due: %w", err)
	}
	return active, idle, nil
}

// Backfill gives due rows without a zone that of their tweet, whatever may be claimed:
// behind those of one zone there may be another's. more tells that some were left.
func Backfill(ctx context.Context, t *postgres.Tx, now time.Time) (more bool, err error) {
	for range backfillRounds {
		var zoneless []uuid.UUID
		b := t.Group()
		b.Queue(SelectZoneless, now, BackfillChunk).Query(postgres.Collect(&zoneless, pgx.RowTo[uuid.UUID]))
		if err := t.Send(ctx, b); err != nil {
			return false, fmt.Errorf("find rows without a zone: %w", err)
		}
		if len(zoneless) == 0 {
			return false, nil
		}
		b = t.Group()
		b.Queue(postgres.BackfillZones, zoneless, uuid.Nil).Exec(postgres.Wrote(len(zoneless), "tracking rows"))
		if err := t.Send(ctx, b); err != nil {
			return false, fmt.Errorf("give rows their zone: %w", err)
		}
		if len(zoneless) < BackfillChunk {
			return false, nil
		}
	}
	return true, nil
}
