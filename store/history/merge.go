package history

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

const (
	// mergeAge is how long a month is over, at least, before its days are merged.
	mergeAge = 35 * day

	// mergeAgeMost is how long days wait for their downsampling at most, which gives back
	// more space in a day's partition than in a month's.
	mergeAgeMost = 365 * day

	// mergeStay is how long a month must stay by the retention to be worth the copying.
	mergeStay = 180 * day

	// copyPoints is how many points one transaction copies at most.
	copyPoints = 5000

	// swapPoints is how many points that were written meanwhile may be left to be copied
	// while all tables are locked.
	swapPoints = 200
)

// Merged is what one call of [Archive.Merge] did.
type Merged struct {
	Months     int  // became one partition each
	Points     int  // copied
	Strays     int  // points that were found in the default partition, and are moved to their days
	Unfinished bool // time was up: the next call goes on
	Busy       bool // another process is at it, or a table was in use: the next call goes on
}

// Merge merges the days of months that are long over into one partition each, so that
// years are some hundred partitions and not thousands. It changes no point. A history
// that was there before the engine is left as it is.
//
// The points are copied into a table of its own, day by day and in short transactions,
// while a trigger on the days notes what is written to them meanwhile; that is copied
// again. The last transaction puts the month in the place of its days. It and the first
// lock tables of the product for a moment, and wait for that for a tenth of a second at
// most. Merge works for about ten seconds and leaves the rest to the next call, of
// whatever process: what is done is in the database. Any number of processes may call it;
// one works at a time.
//
// Points that are in the default partition, since none was made for their day in time, go
// before: a few are moved, and many are copied in the same way, to partitions of their days.
func (a *Archive) Merge(ctx context.Context, r Retention) (done Merged, err error) {
	partitioned, err := a.partitioned(ctx)
	if err != nil || !partitioned {
		return done, err
	}
	if err := a.clock.Agrees(); err != nil {
		return done, fmt.Errorf("merge old days: %w", err)
	}
	if !r.Chosen {
		cut, err := a.cut(ctx, r)
		if err != nil {
			return done, err
		}
		if !cut.Allowed(r) {
			r = Retention{} // nothing is removed
		}
	}
	now, err := a.newest(ctx, true, a.clock.Now())
	if err != nil {
		return done, fmt.Errorf("look for the newest point of the history: %w", err)
	}
	if done.Strays, err = a.moveStrays(ctx); err != nil {
		return done, fmt.Errorf("move points out of the default partition: %w", err)
	}
	until := time.Now().Add(retainFor)
	for more := true; more && ctx.Err() == nil; {
		if done.Unfinished = !time.Now().Before(until); done.Unfinished {
			break
		}
		var step Merged // of this try
		done.Busy, err = a.retain(ctx, "merge old days", func(ctx context.Context, t *postgres.Tx) (err error) {
			step = Merged{}
			more, err = a.mergeStep(ctx, t, r, now, &step)
			return err
		})
		// A point whose tweet has just been deleted cannot be copied, and goes with it.
		if postgres.HasCode(err, postgres.CodeForeignKeyViolation) || postgres.HasCode(err, postgres.CodeQueryCanceled) && ctx.Err() == nil {
			done.Busy, err = true, nil
		}
		if err != nil || done.Busy {
			break
		}
		done.Months, done.Points = done.Months+step.Months, done.Points+step.Points
	}
	return done, err
}

// mergeStep does the next step of a merge, or begins one.
func (a *Archive) mergeStep(ctx context.Context, t *postgres.Tx, r Retention, now time.Time, done *Merged) (more bool, err error) {
	m, err := readMerge(ctx, t)
	switch {
	case err != nil:
		return false, err
	case m == nil:
		if lost, err := abandonLost(ctx, t); err != nil || lost {
			return lost, err
		}
		if m, err = nextSpread(ctx, t, a.clock.Now()); err == nil && m == nil {
			m, err = nextMerge(ctx, t, r, now)
		}
		if err != nil || m == nil {
			return false, err
		}
		return true, m.begin(ctx, t)
	}
	same, err := m.fits(ctx, t)
	switch {
	case err != nil:
		return false, err
	case !same:
		return true, m.abandon(ctx, t)
	case m.copied < len(m.sources()):
		return true, m.copyNext(ctx, t, done)
	}
	return true, m.swap(ctx, t, done)
}

// merge is a merge under way: of the days of a month, or of what the default partition has.
type merge struct {
	month  time.Time   // or the first day of parts
	days   []time.Time // that have a partition, in order
	copied int         // how many sources are copied

	spread bool   // what the default partition has becomes partitions
	parts  []part // these, in order

	// The last point that is copied of the next day; null: none is.
	tweet, point uuid.NullUUID
	at           *time.Time
}

// past is the end of the month.
func (m *merge) past() time.Time { return m.month.AddDate(0, 1, 0) }

// name is that of the table that is copied to.
func (m *merge) name() string {
	if m.spread {
		return spreadTable
	}
	return monthName(m.month)
}

func monthName(first time.Time) string {
	return pgx.Identifier{"gorgone", "history_" + first.Format("2006_01")}.Sanitize()
}

// sources names the tables that are copied.
func (m *merge) sources() []string {
	if m.spread {
		return []string{defaultTable}
	}
	names := make([]string, len(m.days))
	for i, d := range m.days {
		names[i] = partitionName(d)
	}
	return names
}

// bounds are the time from which and until which a source has points, as constants.
func (m *merge) bounds(source int) (first, past string) {
	if m.spread {
		return `'-infinity'`, `'infinity'`
	}
	return timestamp(m.days[source]), timestamp(m.days[source].Add(day))
}

// timestamp writes a time as a constant: statements that change tables take no arguments.
func timestamp(at time.Time) string { return "'" + at.UTC().Format("2006-01-02 15:04:05+00") + "'" }

func readMerge(ctx context.Context, t *postgres.Tx) (_ *merge, err error) {
	var all []*merge
	b := t.Group()
	b.Queue(`select month, days, copied, tweet_id, snapshot_at, point from gorgone.history_merge`).
		Query(postgres.Collect(&all, func(row pgx.CollectableRow) (*merge, error) {
			var m merge
			return &m, row.Scan(&m.month, &m.days, &m.copied, &m.tweet, &m.at, &m.point)
		}))
	if err := t.Send(ctx, b); err != nil || len(all) == 0 {
		return nil, err
	}
	m := all[0]
	if m.spread = len(m.days) == 0; m.spread {
		m.parts, err = partsOf(ctx, t, spreadTable)
	}
	return m, err
}

// nextMerge finds the oldest month whose days are to be merged; nil: there is none.
func nextMerge(ctx context.Context, t *postgres.Tx, r Retention, now time.Time) (*merge, error) {
	// Of days whose downsampling has its time, it is done.
	const months = `
		select date_trunc('month', p.first at time zone 'UTC')::date, array_agg((p.first at time zone 'UTC')::date order by p.first)
		from (` + postgres.HistoryPartitions + `) p
		left join gorgone.history_days k on k.day = (p.first at time zone 'UTC')::date
		where p.past - p.first = interval '1 day'
		group by 1
		having (date_trunc('month', min(p.first) at time zone 'UTC') + interval '1 month') at time zone 'UTC' <= $1::timestamptz
		and date_trunc('month', min(p.first) at time zone 'UTC') at time zone 'UTC' >= $2::timestamptz
		and ($3::text = '' or bool_and(coalesce(k.done and k.grain in ('day', $3::text), false)))
		order by 1 limit 1`
	age, grain := mergeAge, "" // how coarse the days are by then; "": as they are
	if r.Full > 0 && (r.Hourly > 0 || r.Daily > 0) {
		last := r.Full // when they are as coarse as they get
		grain = grainHour
		if r.Daily > 0 {
			last, grain = r.Full+r.Hourly, grainDay
		}
		if age = max(age, last+day); age > mergeAgeMost {
			age, grain = mergeAgeMost, ""
		}
	}
	kept := time.Unix(0, 0).UTC() // months from then on stay long enough
	if r.Full > 0 {
		kept = now.Add(mergeStay - r.total())
	}
	var all []*merge
	b := t.Group()
	b.Queue(months, now.Add(-age), kept, grain).Query(postgres.Collect(&all, func(row pgx.CollectableRow) (*merge, error) {
		var m merge
		return &m, row.Scan(&m.month, &m.days)
	}))
	if err := t.Send(ctx, b); err != nil || len(all) == 0 {
		return nil, err
	}
	return all[0], nil
}

// fits reports whether what was begun is still what is wanted: the month has the same days,
// or the parts are still missing, and the history has the same columns.
func (m *merge) fits(ctx context.Context, t *postgres.Tx) (same bool, err error) {
	if m.spread {
		if free, err := m.partsAreFree(ctx, t); err != nil || !free {
			return false, err
		}
	}
	var days []time.Time
	var columns, copied *string
	b := t.Group()
	if !m.spread {
		b.Queue(`select (p.first at time zone 'UTC')::date from (`+postgres.HistoryPartitions+`) p
			where p.first >= $1::timestamptz and p.past <= $2::timestamptz order by 1`, m.month, m.past()).
			Query(postgres.Collect(&days, pgx.RowTo[time.Time]))
	}
	for table, into := range map[string]**string{"public.twitter_engagement_history": &columns, m.name(): &copied} {
		b.Queue(selectColumns, table).QueryRow(func(row pgx.Row) error { return row.Scan(into) })
	}
	if err := t.Send(ctx, b); err != nil {
		return false, err
	}
	return slices.EqualFunc(days, m.days, time.Time.Equal) && columns != nil && copied != nil && *columns == *copied, nil
}

// selectColumns lists the columns of a table that are not generated.
const selectColumns = `
	select string_agg(quote_ident(attname), ', ' order by attname) from pg_attribute
	where attrelid = to_regclass($1::text) and attnum > 0 and not attisdropped and attgenerated = ''`

func columnsOfHistory(ctx context.Context, t *postgres.Tx) (columns string, err error) {
	b := t.Group()
	b.Queue(selectColumns, "public.twitter_engagement_history").QueryRow(func(row pgx.Row) error { return row.Scan(&columns) })
	return columns, t.Send(ctx, b)
}

// begin makes the table that is copied to, with all that a partition has, so that nothing
// is left to be checked when it becomes one, and has what is written to the sources noted.
func (m *merge) begin(ctx context.Context, t *postgres.Tx) error {
	if err := m.abandon(ctx, t); err != nil { // what a truncated one has left
		return err
	}
	var keys []string
	b := t.Group()
	b.Queue(`select pg_get_constraintdef(oid) from pg_constraint where conrelid = 'public.twitter_engagement_history'::regclass and contype = 'f'`).
		Query(postgres.Collect(&keys, pgx.RowTo[string]))
	if err := t.Send(ctx, b); err != nil {
		return err
	}
	b = t.Group()
	b.Queue(`lock table public.twitter_tweets in share row exclusive mode`) // before others: writers keep that order
	b.Queue(`lock table ` + strings.Join(m.sources(), ", ") + ` in share row exclusive mode nowait`)
	if m.spread {
		m.queueParts(b, keys)
	} else {
		b.Queue(`create table ` + m.name() + ` (like public.twitter_engagement_history including all)`)
		queueBounds(b, m.name(), part{m.month, m.past()}, keys)
	}
	if err := t.Send(ctx, b); err != nil {
		return err
	}
	b = t.Group()
	for _, source := range m.sources() {
		b.Queue(`create trigger gorgone_merge after insert or update or delete on ` + source +
			` for each row execute function gorgone.note_history_change()`)
		b.Queue(`create trigger gorgone_merge_emptied after truncate on ` + source +
			` for each statement execute function gorgone.note_history_change()`)
	}
	b.Queue(`insert into gorgone.history_merge (month, days) values ($1::date, $2::date[])`, m.month, append([]time.Time{}, m.days...))
	return t.Send(ctx, b)
}

// queueBounds gives a table what the history's partition of p has: a constraint by which
// nothing is looked at when it becomes that, the foreign keys, and, for retention within a
// month, an index by time.
func queueBounds(b *pgx.Batch, table string, p part, keys []string) {
	b.Queue(`alter table ` + table + ` add constraint ` + withinPart + ` check (snapshot_at >= ` + timestamp(p.first) + ` and snapshot_at < ` + timestamp(p.past) + `)`)
	for _, key := range keys {
		b.Queue(`alter table ` + table + ` add ` + key)
	}
	if p.past.Sub(p.first) > day {
		b.Queue(`create index on ` + table + ` using brin (snapshot_at)`)
	}
}

// abandon removes the table that is copied to, unless that is a partition, and the triggers.
func (m *merge) abandon(ctx context.Context, t *postgres.Tx) error {
	var tables []string // that have a trigger
	var begun bool
	b := t.Group()
	b.Queue(`select to_regclass($1::text) is not null and not exists (select from pg_inherits where inhrelid = to_regclass($1::text))`, m.name()).
		QueryRow(func(row pgx.Row) error { return row.Scan(&begun) })
	b.Queue(`select c.oid::regclass::text from pg_trigger g join pg_class c on c.oid = g.tgrelid
		where g.tgname = 'gorgone_merge' and c.relnamespace = to_regnamespace('gorgone')`).Query(postgres.Collect(&tables, pgx.RowTo[string]))
	if err := t.Send(ctx, b); err != nil {
		return err
	}
	b = t.Group()
	if begun {
		b.Queue(`lock table only public.twitter_tweets in access exclusive mode`) // it loses the key's triggers
		b.Queue(`drop table ` + m.name())
	}
	for _, table := range tables {
		b.Queue(`lock table ` + table + ` in access exclusive mode nowait`)
		b.Queue(`drop trigger gorgone_merge on ` + table)
		b.Queue(`drop trigger if exists gorgone_merge_emptied on ` + table)
	}
	b.Queue(`delete from gorgone.history_merge`) // after the locks: who truncates a day waits for it
	b.Queue(`delete from gorgone.history_changes`)
	return t.Send(ctx, b)
}
