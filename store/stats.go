package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
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
	Parked  int // live rows put off because their zone is inactive

	Outstanding Outstanding
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
// rows are counted one by one.
const smallTable = 50_000

const (
	// Reads live rows only, by the partial index on what is due.
	selectLive = `
		select tier, count(*)::int4,
			(count(*) filter (where greatest(next_update_at, retry_at) <= $1::timestamptz
				and (claimed_until is null or claimed_until <= $1::timestamptz)))::int4,
			(count(*) filter (where greatest(next_update_at, retry_at) <= $1::timestamptz
				and claimed_until > $1::timestamptz))::int4,
			min(greatest(next_update_at, retry_at)) filter (where greatest(next_update_at, retry_at) <= $1::timestamptz),
			min(greatest(next_update_at, retry_at)) filter (where greatest(next_update_at, retry_at) > $1::timestamptz),
			(count(*) filter (where attempts > 0))::int4,
			(count(*) filter (where misses > 0 or doubts > 0))::int4,
			(count(*) filter (where retry_at > $1::timestamptz and attempts = 0 and misses = 0))::int4
		from public.twitter_engagement_tracking
		where next_update_at is not null
		group by tier`

	// reltuples is -1 before the first vacuum or analyze.
	estimateRows = `
		select reltuples::int8 from pg_class where oid = to_regclass('public.twitter_engagement_tracking')`

	// By its own small index.
	countGone = `
		select count(*)::int4 from public.twitter_engagement_tracking where gone_reason is not null`

	countCold = `
		select count(*)::int4 from public.twitter_engagement_tracking where next_update_at is null`
)

// Stats reads the state of the schedule. It visits every live row once and no
// cold one (these are estimated in a large table), at about a quarter of a second
// a million, so do not call it more often than somebody looks.
//
// A row is counted as Parked when it waits without having failed or been missed.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	stats := Stats{At: s.clock.Now(), Tier: make(map[engagement.Tier]int, 4), Due: make(map[engagement.Tier]Due, 4)}
	var estimate int64
	var b pgx.Batch
	b.Queue(selectLive, stats.At).Query(stats.scanLive)
	b.Queue(estimateRows).QueryRow(func(r pgx.Row) error { return r.Scan(&estimate) })
	b.Queue(countGone).QueryRow(func(r pgx.Row) error { return r.Scan(&stats.Gone) })
	s.queueOutstanding(&b, stats.At, &stats.Outstanding)
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	if err := s.db.pool.SendBatch(ctx, &b).Close(); err != nil {
		return Stats{}, fmt.Errorf("read statistics: %w", err)
	}
	live := 0
	for _, n := range stats.Tier {
		live += n
	}
	cold := max(int(estimate)-live, 0)
	stats.ColdEstimated = estimate > smallTable
	if !stats.ColdEstimated {
		if err := s.db.pool.QueryRow(ctx, countCold).Scan(&cold); err != nil {
			return Stats{}, fmt.Errorf("count cold rows: %w", err)
		}
	}
	stats.Tier[engagement.Cold] += cold
	return stats, nil
}

func (s *Stats) scanLive(rows pgx.Rows) error {
	for rows.Next() {
		var (
			tier                                                string
			count, unclaimed, claimed, failing, missing, parked int
			oldest, next                                        *time.Time
		)
		if err := rows.Scan(&tier, &count, &unclaimed, &claimed, &oldest, &next, &failing, &missing, &parked); err != nil {
			return err
		}
		s.Tier[engagement.Tier(tier)] += count
		due := s.Due[engagement.Tier(tier)]
		due.Rows += unclaimed + claimed
		due.Oldest = earliest(due.Oldest, timeOf(oldest))
		s.Due[engagement.Tier(tier)] = due
		s.DueUnclaimed += unclaimed
		s.DueClaimed += claimed
		s.OldestDue = earliest(s.OldestDue, timeOf(oldest))
		s.NextDue = earliest(s.NextDue, timeOf(next))
		s.Failing += failing
		s.Missing += missing
		s.Parked += parked
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
