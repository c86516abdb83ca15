package report

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/store/postgres"
)

// ZoneState is how the tracking of a zone stands.
type ZoneState struct {
	store.Zone
	Schedule      string        // of its own settings; "": as all zones
	MinEngagement int64         // likewise; 0: none
	Live          int           // rows that are looked up
	Cold          int           // rows that are no longer
	Due           int           // of Live, due now
	OldestDue     time.Time     // zero: nothing is due
	Age           time.Duration // since the last look-up, median of Live that had one
	Seen          int           // of Live, those that had one
}

// Settings returns what the zone's own settings say of its schedule; of a value that is not
// known nothing.
func (z ZoneState) Settings() (schedule store.Schedule, minEngagement int64) {
	if schedule = store.Schedule(z.Schedule); !slices.Contains(store.Schedules(), schedule) {
		schedule = ""
	}
	return schedule, z.MinEngagement
}

// ZoneStates returns the state of zones by name; nil means all. It visits every row of
// tracking; in a table of more than 50,000 rows only the live ones, and Cold is an estimate
// from a part of the others.
func (r *Reader) ZoneStates(ctx context.Context, zones []uuid.UUID) ([]ZoneState, error) {
	const sql = `
		select z.id, z.name, z.client_id, ` + postgres.ActiveZone + `, coalesce(z.settings->>'schedule', ''),
			coalesce(case when jsonb_typeof(z.settings->'min_engagement') = 'number' and (z.settings->>'min_engagement')::numeric >= 1
				then least(trunc((z.settings->>'min_engagement')::numeric), 2147483647)::int8 end, 0),
			coalesce(k.live, 0)::int4, coalesce(c.cold, 0)::int4, coalesce(k.due, 0)::int4, k.oldest, coalesce(k.age, 0)::float8, coalesce(k.seen, 0)::int4
		from public.zones z
		left join (
			select zone_id, count(*) live,
				count(*) filter (where greatest(next_update_at, retry_at) <= $1::timestamptz) due,
				min(greatest(next_update_at, retry_at)) filter (where greatest(next_update_at, retry_at) <= $1::timestamptz) oldest,
				percentile_disc(0.5) within group (order by extract(epoch from $1::timestamptz - last_updated_at))
					filter (where last_updated_at is not null) age,
				count(*) filter (where last_updated_at is not null) seen
			from public.twitter_engagement_tracking where next_update_at is not null and ($2::uuid[] is null or zone_id = any($2::uuid[]))
			group by zone_id
		) k on k.zone_id = z.id
		left join (
			select zone_id, round(count(*) * 100 / $3::float8) cold from public.twitter_engagement_tracking tablesample system ($3::float8)
			where next_update_at is null and ($2::uuid[] is null or zone_id = any($2::uuid[]))
			group by zone_id
		) c on c.zone_id = z.id
		where $2::uuid[] is null or z.id = any($2::uuid[])
		order by z.name, z.id`
	done, err := r.turn(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the state of zones: %w", err)
	}
	defer done()
	estimate, many, err := r.large(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the state of zones: %w", err)
	}
	sample := 100.0
	if many {
		sample = min(100, 100*sampleRows/float64(estimate))
	}
	ctx, cancel := r.db.Bounded(ctx)
	defer cancel()
	rows, err := r.db.Query(ctx, sql, r.clock.Now(), zones, sample)
	if err != nil {
		return nil, fmt.Errorf("read the state of zones: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (z ZoneState, err error) {
		var oldest *time.Time
		var age float64
		err = row.Scan(&z.ID, &z.Name, &z.ClientID, &z.Active, &z.Schedule, &z.MinEngagement, &z.Live, &z.Cold, &z.Due, &oldest, &age, &z.Seen)
		z.OldestDue, z.Age = postgres.TimeOf(oldest), max(time.Duration(age*float64(time.Second)), 0)
		return z, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the state of zones: %w", err)
	}
	return list, nil
}
