package store

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
)

const (
	// shareRounds bounds how often a claim shares out what zones with little due
	// left over. What is not shared out by then waits for the next claim.
	shareRounds = 8

	// adoptChunk is how many due rows without a zone are given theirs at once, and
	// adoptRounds how often a claim does so.
	adoptChunk  = 5000
	adoptRounds = 30

	// parkChunk is how many due rows of inactive zones a claim puts off.
	parkChunk = 2000
)

// selectHomeless finds due rows that do not know their zone yet: the product
// inserted them.
const selectHomeless = `
	select tweet_db_id
	from public.twitter_engagement_tracking
	where zone_id is null and next_update_at is not null
	and greatest(next_update_at, retry_at) <= $1::timestamptz
	order by zone_id, greatest(next_update_at, retry_at)
	limit $2::int4
	for update skip locked`

// selectDueZones lists the zones that have something due, and whether they are
// active. It goes from one zone to the next by the index gorgone_tracking_zone_due:
// two probes a zone that has live rows, however many rows these are.
const selectDueZones = `
	with recursive live (id) as (
		(select zone_id from public.twitter_engagement_tracking
			where next_update_at is not null and zone_id is not null order by zone_id limit 1)
		union all
		select (select k.zone_id from public.twitter_engagement_tracking k
			where k.next_update_at is not null and k.zone_id > live.id order by k.zone_id limit 1)
		from live where live.id is not null
	)
	select live.id, z.id is not null and coalesce(z.is_active, true)
	from live left join public.zones z on z.id = live.id
	where live.id is not null and exists (
		select from public.twitter_engagement_tracking k
		where k.zone_id = live.id and k.next_update_at is not null
		and greatest(k.next_update_at, k.retry_at) <= $1::timestamptz)`

// selectDue locks up to $3 due rows that nobody holds of each zone, the longest
// overdue first. It must stay a scan of the index gorgone_tracking_zone_due for
// each zone, whose expression it repeats; see docs/data-model.md. Rows that others
// have locked are somebody's work already and are passed over.
const selectDue = `
	select d.tweet_db_id, u.zone_id, d.due
	from unnest($2::uuid[]) u (zone_id)
	cross join lateral (
		select k.tweet_db_id, greatest(k.next_update_at, k.retry_at) due
		from public.twitter_engagement_tracking k
		where k.zone_id = u.zone_id and k.next_update_at is not null
		and greatest(k.next_update_at, k.retry_at) <= $1::timestamptz
		and (k.claimed_until is null or k.claimed_until <= $1::timestamptz)
		order by greatest(k.next_update_at, k.retry_at)
		limit $3::int4
		for update skip locked
	) d`

// share locks up to want due rows so that no zone waits for another: each zone
// with something due gets an equal share, and what a zone does not need goes to
// the others (max-min fairness). The rows are in due order; more tells that due
// rows were left.
func share(ctx context.Context, t *tx, now time.Time, zones []uuid.UUID, want int) (rows []dueRow, more bool, err error) {
	var (
		byZone = make(map[uuid.UUID][]dueRow, len(zones))
		hungry = zones // those that may have more than they got
		left   = want  // for the hungry ones
	)
	for round := 0; round < shareRounds && left > 0 && len(hungry) > 0; round++ {
		limit := (left + len(hungry) - 1) / len(hungry)
		var found []dueRow
		b := t.group()
		b.Queue(selectDue, now, hungry, limit).Query(collect(&found, func(r pgx.CollectableRow) (d dueRow, err error) {
			return d, r.Scan(&d.id, &d.zone, &d.due)
		}))
		if err := t.send(ctx, b); err != nil {
			return nil, false, fmt.Errorf("select due rows: %w", err)
		}
		// A further round finds the rows of the one before again, which this
		// transaction has locked.
		for _, zone := range hungry {
			byZone[zone] = byZone[zone][:0]
		}
		for _, d := range found {
			d.rank = len(byZone[d.zone])
			byZone[d.zone] = append(byZone[d.zone], d)
		}
		var still []uuid.UUID
		for _, zone := range hungry {
			if n := len(byZone[zone]); n < limit {
				left -= n
			} else {
				still = append(still, zone)
			}
		}
		if len(still) == len(hungry) {
			break // all is shared out
		}
		hungry = still
	}
	for _, zone := range zones {
		rows = append(rows, byZone[zone]...)
	}
	// Shares are rounded up: the last of each zone go first.
	turns := make(map[uuid.UUID]uint64, len(zones))
	for _, zone := range zones {
		turns[zone] = turn(zone, now)
	}
	slices.SortFunc(rows, func(a, b dueRow) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(turns[a.zone], turns[b.zone]))
	})
	more = len(hungry) > 0 || len(rows) > want
	rows = rows[:min(len(rows), want)]
	slices.SortStableFunc(rows, func(a, b dueRow) int { return a.due.Compare(b.due) })
	return rows, more, nil
}

// turn is the place of a zone among equals in a claim: another one each time, so
// that no zone always comes last when there are more zones than may be claimed.
func turn(zone uuid.UUID, now time.Time) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(binary.BigEndian.AppendUint64(zone[:], uint64(now.UnixNano()))) // hashes never fail
	return h.Sum64()
}

// dueZones returns the active and the inactive zones that have something due.
func dueZones(ctx context.Context, t *tx, now time.Time) (active, idle []uuid.UUID, err error) {
	b := t.group()
	b.Queue(selectDueZones, now).Query(func(rows pgx.Rows) error {
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
	if err := t.send(ctx, b); err != nil {
		return nil, nil, fmt.Errorf("list the zones with something due: %w", err)
	}
	return active, idle, nil
}

// adopt gives due rows that do not know their zone theirs, whatever may be claimed:
// behind those of one zone there may be another's. more tells that some were left.
func adopt(ctx context.Context, t *tx, now time.Time) (more bool, err error) {
	for range adoptRounds {
		var homeless []uuid.UUID
		b := t.group()
		b.Queue(selectHomeless, now, adoptChunk).Query(collect(&homeless, pgx.RowTo[uuid.UUID]))
		if err := t.send(ctx, b); err != nil {
			return false, fmt.Errorf("find rows without a zone: %w", err)
		}
		if len(homeless) == 0 {
			return false, nil
		}
		b = t.group()
		b.Queue(adoptZones, homeless, uuid.Nil).Exec(wrote(len(homeless), "tracking rows"))
		if err := t.send(ctx, b); err != nil {
			return false, fmt.Errorf("give rows their zone: %w", err)
		}
		if len(homeless) < adoptChunk {
			return false, nil
		}
	}
	return true, nil
}

// adoptZones gives rows the zone of their tweet. A tweet without one, which an
// adopted table may have, is in no zone: $2.
const adoptZones = `
	update public.twitter_engagement_tracking k set zone_id = coalesce(w.zone_id, $2::uuid)
	from public.twitter_tweets w
	where k.tweet_db_id = any($1::uuid[]) and w.id = k.tweet_db_id`
