package report

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// Stats is the state of the whole schedule at one moment.
type Stats struct {
	At   time.Time               // engine time
	Tier map[engagement.Tier]int // rows by tier
	// ColdEstimated is true when the number of cold rows is the planner's
	// estimate; it is counted only in small tables.
	ColdEstimated bool

	Due          map[engagement.Tier]Due // what is due, by tier
	DueUnclaimed int                     // due, waiting to be claimed
	DueClaimed   int                     // due, held by a batch
	OldestDue    time.Time               // earliest due time among the due; zero: nothing is due
	NextDue      time.Time               // next time a row falls due; zero: never

	Failing int // live rows with failures since their last answer
	Missing int // live rows that were missing from their last answers
	Gone    int // cold rows whose tweet counts as deleted
	Parked  int // rows that would be due if their zone, and its client, were active

	// Unusable are rows that fell due and cannot be looked up: their tweet has no usable id
	// or no zone, or does not exist. They wait, and cost nothing, until that is mended.
	Unusable int

	HeldSince time.Time // no tweet is called deleted since then, too many are missing; zero: they are

	Outstanding store.Outstanding
}

// Due is what is due of one tier.
type Due struct {
	Rows   int       // due, claimed or not
	Oldest time.Time // earliest due time among them; zero: nothing is due
}

// Lateness is how long the row that has waited longest has been due at the given
// engine time.
func (d Due) Lateness(at time.Time) time.Duration {
	if d.Oldest.IsZero() {
		return 0
	}
	return max(at.Sub(d.Oldest), 0)
}

// Live is the number of rows that are looked at from time to time.
func (s Stats) Live() int {
	return s.Tier[engagement.UltraHot] + s.Tier[engagement.Hot] + s.Tier[engagement.Warm]
}

// Total is the number of rows.
func (s Stats) Total() int { return s.Live() + s.Tier[engagement.Cold] }

// Lateness is how long the row that has waited longest has been due, in engine
// time.
func (s Stats) Lateness() time.Duration {
	return Due{Oldest: s.OldestDue}.Lateness(s.At)
}

// smallTable is the number of rows, by the planner's estimate, up to which cold
// rows are counted one by one, and pages of lists are sought among all.
const smallTable = 50_000

const (
	// Reads live rows only, by the partial index on what is due. What waits in the queue of
	// an inactive zone is not due: it is parked.
	selectLive = `
		with zone as materialized (select z.id, ` + postgres.ActiveZone + ` active from public.zones z)
		select tier, count(*)::int4,
			(count(*) filter (where active and at <= $1::timestamptz and (claimed_until is null or claimed_until <= $1::timestamptz)))::int4,
			(count(*) filter (where active and at <= $1::timestamptz and claimed_until > $1::timestamptz))::int4,
			min(at) filter (where active and at <= $1::timestamptz),
			min(at) filter (where active and at > $1::timestamptz),
			(count(*) filter (where attempts > 0))::int4,
			(count(*) filter (where misses > 0 or doubts > 0))::int4,
			(count(*) filter (where not active and zone_id <> $3::uuid and at <= $1::timestamptz))::int4,
			(count(*) filter (where zone_id = $3::uuid))::int4
		from (
			select k.tier, k.claimed_until, k.attempts, k.misses, k.doubts, k.zone_id, greatest(k.next_update_at, k.retry_at) at,
				k.zone_id is null or coalesce(z.active, false) active
			from public.twitter_engagement_tracking k left join zone z on z.id = k.zone_id
			where k.next_update_at is not null and `
	everyZone = `$2::uuid[] is null) k
		group by tier`
	// The index begins with the zone.
	namedZones = `k.zone_id = any($2::uuid[])) k
		group by tier`

	// By its own small index.
	countGone = `
		select count(*)::int4 from public.twitter_engagement_tracking
		where gone_reason is not null and ($1::uuid[] is null or zone_id = any($1::uuid[]))`

	selectHeld = `
		select held_since from gorgone.population where measured_at <= $1::timestamptz + interval '5 minutes'
		order by measured_at desc limit 1`

	countCold = `
		select count(*)::int4 from public.twitter_engagement_tracking
		where next_update_at is null and ($1::uuid[] is null or zone_id = any($1::uuid[]))`

	// Of a part of the table, chosen page by page: for zones the planner has no estimate.
	sampleCold = `
		select (count(*) * 100 / $2::float8)::int4 from public.twitter_engagement_tracking tablesample system ($2::float8)
		where next_update_at is null and zone_id = any($1::uuid[])`
)

// Stats reads the state of the schedule. It visits every live row once and no
// cold one (these are estimated in a large table), at about a quarter of a second
// a million, so do not call it more often than it is looked at.
//
// A row that is due is counted as Parked, and not as due, when its zone is inactive, and as
// Unusable when it has none.
func (r *Reader) Stats(ctx context.Context) (Stats, error) { return r.StatsOf(ctx, nil) }

// StatsOf is [Reader.Stats] of some zones only; nil means all. Of some it leaves out what
// is the engine's: HeldSince and Outstanding. A row that was not claimed since it was
// inserted by others may not be counted yet.
func (r *Reader) StatsOf(ctx context.Context, zones []uuid.UUID) (Stats, error) {
	var stats Stats
	var estimate int64
	which := everyZone
	if zones != nil {
		which = namedZones
	}
	done, err := r.turn(ctx)
	if err != nil {
		return Stats{}, fmt.Errorf("read statistics: %w", err)
	}
	defer done()
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	err = r.db.Send(ctx, func(b *pgx.Batch) {
		stats = Stats{At: r.clock.Now(), Tier: make(map[engagement.Tier]int, 4), Due: make(map[engagement.Tier]Due, 4)}
		b.Queue(postgres.EstimateRows).QueryRow(func(r pgx.Row) error { return r.Scan(&estimate) })
		b.Queue(countGone, zones).QueryRow(func(r pgx.Row) error { return r.Scan(&stats.Gone) })
		if zones == nil {
			b.Queue(selectHeld, stats.At).Query(func(rows pgx.Rows) error {
				var since *time.Time
				_, err := pgx.ForEachRow(rows, []any{&since}, func() error {
					stats.HeldSince = postgres.TimeOf(since)
					return nil
				})
				return err
			})
			store.QueueOutstanding(b, r.clock, stats.At, &stats.Outstanding)
		}
		postgres.PlanByPage(b)
		b.Queue(selectLive+which, stats.At, zones, uuid.Nil).Query(stats.scanLive)
	})
	if err != nil {
		return Stats{}, fmt.Errorf("read statistics: %w", err)
	}
	if stats.ColdEstimated = estimate > smallTable; zones != nil {
		return stats, r.countColdOf(ctx, zones, float64(estimate), &stats)
	}
	live := 0
	for _, n := range stats.Tier {
		live += n
	}
	cold := max(int(estimate)-live, 0)
	if !stats.ColdEstimated {
		if err := r.db.QueryRow(ctx, countCold, []uuid.UUID(nil)).Scan(&cold); err != nil {
			return Stats{}, fmt.Errorf("count cold rows: %w", err)
		}
	}
	stats.Tier[engagement.Cold] += cold
	return stats, nil
}

// countColdOf counts the cold rows of some zones, in a large table from a part of it.
func (r *Reader) countColdOf(ctx context.Context, zones []uuid.UUID, rows float64, stats *Stats) (err error) {
	var cold int
	if stats.ColdEstimated {
		err = r.db.QueryRow(ctx, sampleCold, zones, 100*smallTable/rows).Scan(&cold)
	} else {
		err = r.db.QueryRow(ctx, countCold, zones).Scan(&cold)
	}
	if err != nil {
		return fmt.Errorf("count cold rows of zones: %w", err)
	}
	stats.Tier[engagement.Cold] += cold
	return nil
}

func (s *Stats) scanLive(rows pgx.Rows) error {
	for rows.Next() {
		var (
			tier                                                          string
			count, unclaimed, claimed, failing, missing, parked, unusable int
			oldest, next                                                  *time.Time
		)
		if err := rows.Scan(&tier, &count, &unclaimed, &claimed, &oldest, &next, &failing, &missing, &parked, &unusable); err != nil {
			return err
		}
		s.Tier[engagement.Tier(tier)] += count
		due := s.Due[engagement.Tier(tier)]
		due.Rows += unclaimed + claimed
		due.Oldest = earliest(due.Oldest, postgres.TimeOf(oldest))
		s.Due[engagement.Tier(tier)] = due
		s.DueUnclaimed += unclaimed
		s.DueClaimed += claimed
		s.OldestDue = earliest(s.OldestDue, postgres.TimeOf(oldest))
		s.NextDue = earliest(s.NextDue, postgres.TimeOf(next))
		s.Failing += failing
		s.Missing += missing
		s.Parked += parked
		s.Unusable += unusable
	}
	return rows.Err()
}

// earliest returns the earlier of two times, of which zero means none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || (!b.IsZero() && b.Before(a)) {
		return b
	}
	return a
}
