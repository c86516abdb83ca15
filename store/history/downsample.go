package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gorgone/store/curve"
	"gorgone/store/postgres"
)

// slicesPerDay is the number of transactions in which a day is downsampled, each for a
// share of its tweets.
const slicesPerDay = 16

// The grains of downsampled history.
const (
	grainHour = "hour"
	grainDay  = "day"
)

// daySample is a day that is to be downsampled, or further than it is.
type daySample struct {
	day    time.Time
	grain  string
	slices int // done
}

// selectUnsampled finds the oldest day from $1 until $2 (not included) that is not
// downsampled as it should be: to one point a day before $3, else to one an hour. A day
// that is coarser than that stays as it is.
const selectUnsampled = `
	select w.day, w.grain, case when k.grain = w.grain then k.slices else 0 end
	from (
		select d.at::date as day, case when d.at < $3::timestamptz at time zone 'UTC' then 'day' else 'hour' end as grain
		from generate_series($1::timestamptz at time zone 'UTC', $2::timestamptz at time zone 'UTC' - interval '1 day', interval '1 day') d (at)
	) w
	left join gorgone.history_days k on k.day = w.day
	where k.day is null or (k.grain = w.grain and not k.done) or (k.grain = 'hour' and w.grain = 'day')
	order by w.day limit 1`

// firstDay finds a time in the first day of a history that is partitioned, and of
// one that is not.
func firstDay(partitioned bool) string {
	if partitioned {
		return `select min(p.first) from (` + postgres.HistoryPartitions + `) p`
	}
	return `select min(snapshot_at) from public.twitter_engagement_history`
}

// downsampleNext downsamples one share of the oldest day that needs it.
func (a *Archive) downsampleNext(ctx context.Context, partitioned bool, r Retention, now time.Time, done *Retained) (more bool, err error) {
	if r.Hourly <= 0 && r.Daily <= 0 {
		return false, nil
	}
	var (
		oldest = now.Add(-r.total()).Truncate(day)
		full   = now.Add(-r.Full).Truncate(day)            // the first day that keeps all
		daily  = now.Add(-r.Full - r.Hourly).Truncate(day) // the first that keeps a point an hour
		todo   *daySample
		taken  int
	)
	if r.Daily <= 0 {
		daily = oldest
	}
	done.Busy, err = a.retain(ctx, "thin history", func(ctx context.Context, t *postgres.Tx) error {
		todo, taken = nil, 0
		b := t.Group()
		// Days before the first have no history.
		b.Queue(firstDay(partitioned)).QueryRow(func(r pgx.Row) error {
			var first *time.Time
			err := r.Scan(&first)
			if first != nil && first.After(oldest) {
				oldest = first.UTC().Truncate(day)
			}
			return err
		})
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		b = t.Group()
		b.Queue(selectUnsampled, oldest, full, daily).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				todo = &daySample{}
				if err := rows.Scan(&todo.day, &todo.grain, &todo.slices); err != nil {
					return err
				}
			}
			return rows.Err()
		})
		if err := t.Send(ctx, b); err != nil || todo == nil {
			return err
		}
		taken, err = todo.downsample(ctx, t)
		return err
	})
	if err != nil || done.Busy || todo == nil {
		return false, err
	}
	done.Downsampled += taken
	return true, nil
}

// downsample does the next share of the day and returns how many points it deleted.
// After the last share it gives the space back, where the day has a table of its own: a
// month's partition is not rewritten.
func (d daySample) downsample(ctx context.Context, t *postgres.Tx) (taken int, err error) {
	const record = `
		insert into gorgone.history_days (day, grain, slices, done) values (($1::timestamptz at time zone 'UTC')::date, $2::text, $3::int4, $4::bool)
		on conflict (day) do update set grain = excluded.grain, slices = excluded.slices, done = excluded.done`
	if d.slices == slicesPerDay {
		if err := d.compact(ctx, t); err != nil {
			return 0, fmt.Errorf("give back the space of %s: %w", d.day.Format(time.DateOnly), err)
		}
		b := t.Group()
		b.Queue(record, d.day, d.grain, d.slices, true)
		return 0, t.Send(ctx, b)
	}
	bin := time.Hour
	if d.grain == grainDay {
		bin = day
	}
	args := []any{d.day, d.day.Add(day), bin, d.slices, slicesPerDay}
	rows, at, err := d.earlier(ctx, t, args)
	if err != nil {
		return 0, fmt.Errorf("the history before %s: %w", d.day.Format(time.DateOnly), err)
	}
	b := t.Group()
	b.Queue(mergePoints, append(slices.Clip(args), rows, at)...)
	b.Queue(deletePoints, args...).Exec(func(tag pgconn.CommandTag) error {
		taken = int(tag.RowsAffected())
		return nil
	})
	b.Queue(record, d.day, d.grain, d.slices+1, false)
	if err := t.Send(ctx, b); err != nil {
		return 0, fmt.Errorf("the history of %s: %w", d.day.Format(time.DateOnly), err)
	}
	return taken, nil
}

// earlier returns when the rows of a share whose first group of the day has a velocity had
// their last point before that day.
func (d daySample) earlier(ctx context.Context, t *postgres.Tx, args []any) (rows []uuid.UUID, at []time.Time, err error) {
	var lives []curve.Life
	b := t.Group()
	b.Queue(selectFirstGroups, args...).Query(postgres.Collect(&lives, func(r pgx.CollectableRow) (curve.Life, error) {
		l := curve.Life{Span: curve.Always().Within(time.Time{}, d.day)}
		return l, r.Scan(&l.Row)
	}))
	if err := t.Send(ctx, b); err != nil {
		return nil, nil, err
	}
	last, err := curve.Last(ctx, t, lives, 1)
	for row, p := range last {
		rows, at = append(rows, row), append(at, p[0].At)
	}
	return rows, at, err
}

// samplePoints numbers the points of a share ($4 of $5) of the tweets in the time from
// $1 until $2. A point stays when it is the tweet's last in its bin of length $3, or
// has no velocity: then it is the tweet's first, or the first whose counts were known. So
// does one that ends a stretch without change of which whole bins have no point, as
// look-ups that find nothing new are not recorded: without it the curve would rise through
// all of them. A group is a point that stays, and those before it that go.
const samplePoints = `
	with points as (
		select h.id, h.tweet_id, h.snapshot_at, h.delta_retweets, h.delta_replies, h.delta_likes, h.delta_quotes, h.delta_views,
			h.provider_changed,
			h.engagement_velocity is null or row_number() over (
				partition by h.tweet_id, date_bin($3::interval, h.snapshot_at, $1::timestamptz)
				order by h.snapshot_at desc, h.id desc) = 1
			or (coalesce(nullif(h.delta_retweets, 0), nullif(h.delta_replies, 0), nullif(h.delta_likes, 0),
					nullif(h.delta_quotes, 0), nullif(h.delta_views, 0)) is null
				-- Before the first of a day nothing is seen here; each day has a point.
				and coalesce(date_bin($3::interval, h.snapshot_at, $1::timestamptz) - date_bin($3::interval,
					lag(h.snapshot_at) over (partition by h.tweet_id order by h.snapshot_at, h.id), $1::timestamptz) > $3::interval,
					$3::interval < interval '1 day')) as stays
		from public.twitter_engagement_history h
		where h.snapshot_at >= $1::timestamptz and h.snapshot_at < $2::timestamptz
		and mod(hashtext(h.tweet_id::text)::int8 + 2147483648, $5::int8) = $4::int8
	), grouped as (
		select *, count(*) filter (where stays) over (partition by tweet_id order by snapshot_at desc, id desc) as g
		from points
	)`

// chainedGroups adds up each group, and has the time of the one before it on that day.
const chainedGroups = samplePoints + `
	, groups as (
		select tweet_id, g, count(*) as n, min(snapshot_at) as first_at, max(snapshot_at) as at,
			(array_agg(id order by snapshot_at desc, id desc))[1] as id, bool_or(provider_changed) as provider_changed,
			sum(delta_retweets) as retweets, sum(delta_replies) as replies, sum(delta_likes) as likes,
			sum(delta_quotes) as quotes, sum(delta_views) as views
		from grouped group by tweet_id, g
	), chained as (
		select *, lag(at) over (partition by tweet_id order by g desc) as before
		from groups
	)`

// selectFirstGroups finds the tweets whose first group of the day is merged.
const selectFirstGroups = chainedGroups + `
	select m.tweet_id from chained m
	join public.twitter_engagement_history h on h.id = m.id and h.snapshot_at = m.at
		and h.snapshot_at >= $1::timestamptz and h.snapshot_at < $2::timestamptz
	where m.n > 1 and m.before is null and h.engagement_velocity is not null`

// mergePoints adds the deltas of the points that go to those of the next that
// stays, so that the deltas of a tweet go on adding up to the same, and computes its
// velocity again, over the time since the one before it that stays, which is of an earlier
// day ($6, $7) for the first.
const mergePoints = chainedGroups + `
	update public.twitter_engagement_history h set
		delta_retweets = m.retweets::int4, delta_replies = m.replies::int4, delta_likes = m.likes::int4,
		delta_quotes = m.quotes::int4, delta_views = m.views::int4, provider_changed = m.provider_changed,
		engagement_velocity = case when h.engagement_velocity is not null then coalesce(
			(coalesce(m.retweets, 0) + coalesce(m.replies, 0) + coalesce(m.likes, 0) + coalesce(m.quotes, 0))::float8
			/ nullif(extract(epoch from m.at - coalesce(m.before, earlier.at, m.first_at))::float8 / 3600, 0),
			h.engagement_velocity)::numeric end
	from chained m
	left join unnest($6::uuid[], $7::timestamptz[]) earlier (id, at) on earlier.id = m.tweet_id and m.before is null
	where m.n > 1
	and h.id = m.id and h.snapshot_at = m.at
	and h.snapshot_at >= $1::timestamptz and h.snapshot_at < $2::timestamptz`

// deletePoints deletes the points that go.
const deletePoints = samplePoints + `
	delete from public.twitter_engagement_history h
	using grouped p
	where not p.stays
	and h.id = p.id and h.snapshot_at = p.snapshot_at
	and h.snapshot_at >= $1::timestamptz and h.snapshot_at < $2::timestamptz`

// compact rewrites the day's partition without the room that was taken by what
// went, in the order in which curves are read. Little writes to it any more: what deletes
// a tweet, and an answer that ends a stretch which began that day.
func (d daySample) compact(ctx context.Context, t *postgres.Tx) error {
	const index = `
		select c.relname from pg_index i
		join pg_class c on c.oid = i.indexrelid
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
		where i.indrelid = to_regclass($1::text) and i.indisvalid and i.indpred is null and a.attname = 'tweet_id'
		limit 1`
	var name string
	b := t.Group()
	b.Queue(index, partitionName(d.day)).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := rows.Scan(&name); err != nil {
				return err
			}
		}
		return rows.Err()
	})
	if err := t.Send(ctx, b); err != nil || name == "" {
		return err
	}
	b = t.Group()
	b.Queue(`cluster ` + partitionName(d.day) + ` using ` + pgx.Identifier{name}.Sanitize())
	b.Queue(`analyze ` + partitionName(d.day))
	return t.Send(ctx, b)
}
