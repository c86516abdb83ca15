// Package fair finds and locks the tracking rows that are due, so that no zone waits for
// another. Package store claims them.
package fair

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	// shareRounds bounds how often a claim shares out what zones with little due
	// left over. What is not shared out by then waits for the next claim.
	shareRounds = 8

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
	rank int // place among the due rows of its zone

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

// SelectDue locks up to $3 unclaimed due rows of each zone, the longest
// overdue first. It must stay a scan of the index gorgone_tracking_zone_due for
// each zone, whose expression it repeats; see docs/data-model.md. Rows that others
// have locked are another claim's work already and are passed over.
const SelectDue = `
	select d.tweet_db_id, u.zone_id, d.due, d.observed, d.doubted
	from unnest($2::uuid[]) u (zone_id)
	cross join lateral (
		select k.tweet_db_id, greatest(k.next_update_at, k.retry_at) due, ` + PriorColumns + `
		from public.twitter_engagement_tracking k
		where k.zone_id = u.zone_id and k.next_update_at is not null
		and greatest(k.next_update_at, k.retry_at) <= $1::timestamptz
		and (k.claimed_until is null or k.claimed_until <= $1::timestamptz)
		order by greatest(k.next_update_at, k.retry_at)
		limit $3::int4
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

// Share locks up to want due rows so that no zone waits for another: each zone
// with something due gets an equal share, and what a zone does not need goes to
// the others (max-min fairness). The rows are in due order; more tells that due
// rows were left.
func Share(ctx context.Context, t *postgres.Tx, now time.Time, zones []uuid.UUID, want int) (rows []Row, more bool, err error) {
	var (
		byZone      = make(map[uuid.UUID][]Row, len(zones))
		unsatisfied = zones // those that may have more than they got
		left        = want  // for the unsatisfied ones
	)
	for round := 0; round < shareRounds && left > 0 && len(unsatisfied) > 0; round++ {
		limit := (left + len(unsatisfied) - 1) / len(unsatisfied)
		var found []Row
		b := t.Group()
		b.Queue(SelectDue, now, unsatisfied, limit).Query(postgres.Collect(&found, func(r pgx.CollectableRow) (d Row, err error) {
			return d, r.Scan(&d.ID, &d.Zone, &d.Due, &d.Prior.Observed, &d.Prior.InDoubt)
		}))
		if err := t.Send(ctx, b); err != nil {
			return nil, false, fmt.Errorf("select due rows: %w", err)
		}
		// A further round finds the rows of the one before again, which this
		// transaction has locked.
		for _, zone := range unsatisfied {
			byZone[zone] = byZone[zone][:0]
		}
		for _, d := range found {
			d.rank = len(byZone[d.Zone])
			byZone[d.Zone] = append(byZone[d.Zone], d)
		}
		var still []uuid.UUID
		for _, zone := range unsatisfied {
			if n := len(byZone[zone]); n < limit {
				left -= n
			} else {
				still = append(still, zone)
			}
		}
		if len(still) == len(unsatisfied) {
			break // all is shared out
		}
		unsatisfied = still
	}
	for _, zone := range zones {
		rows = append(rows, byZone[zone]...)
	}
	// Shares are rounded up: the last of each zone go first.
	turns := make(map[uuid.UUID]uint64, len(zones))
	for _, zone := range zones {
		turns[zone] = turn(zone, now)
	}
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(turns[a.Zone], turns[b.Zone]))
	})
	more = len(unsatisfied) > 0 || len(rows) > want
	rows = rows[:min(len(rows), want)]
	slices.SortStableFunc(rows, func(a, b Row) int { return a.Due.Compare(b.Due) })
	return rows, more, nil
}

// turn is the place of a zone among equals in a claim: another one each time, so
// that no zone always comes last when there are more zones than may be claimed.
func turn(zone uuid.UUID, now time.Time) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64(zone[:], uint64(now.UnixNano()))) // hashes never fail
	return h.Sum64()
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
