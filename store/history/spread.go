package history

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

const (
	defaultTable = "gorgone.history_default"

	// spreadTable has the partitions that points of the default one are copied to, until they
	// are the history's.
	spreadTable = "gorgone.history_spread"

	// withinPart is the constraint that says what a partition to be holds, a day's too.
	withinPart = "within_month"

	// fewStrays is how many points the default partition may have for them to be moved, day
	// by day, while nothing can be written to it. More are copied first.
	fewStrays = 10_000

	// mostParts bounds how many partitions are made at once of the default one, for which
	// all tables are locked.
	mostParts = 100

	// partsAhead is for how long from now on partitions that are missing are made with
	// these: while the default one is large, it takes too long to make one beside it.
	partsAhead = 3 * day
)

// firstTweet is before all tweets: a point from before then, or from the future, has a wrong
// time, and no partition is made for it.
var firstTweet = time.Date(2006, 3, 1, 0, 0, 0, 0, time.UTC)

// part is the time of a partition: a day or a month (UTC).
type part struct{ first, past time.Time }

func (p part) overlaps(o part) bool { return p.first.Before(o.past) && o.first.Before(p.past) }

func (p part) name() string {
	if p.past.Sub(p.first) > day {
		return monthName(p.first)
	}
	return partitionName(p.first)
}

// stray counts the points of a day in the default partition.
type stray struct {
	day    time.Time
	points int
}

const selectStrays = `
	select date_trunc('day', snapshot_at at time zone 'UTC') at time zone 'UTC', count(*)::int4
	from ` + defaultTable + ` where snapshot_at >= $1::timestamptz and snapshot_at < $2::timestamptz
	group by 1 order by 1`

func collectStrays(into *[]stray) func(pgx.Rows) error {
	return postgres.Collect(into, func(row pgx.CollectableRow) (s stray, err error) {
		err = row.Scan(&s.day, &s.points)
		s.day = s.day.UTC()
		return s, err
	})
}

func count(all []stray) (points int) {
	for _, s := range all {
		points += s.points
	}
	return points
}

// moveStrays counts the points in the default partition, and moves them to partitions of
// their days if they are few.
func (a *Archive) moveStrays(ctx context.Context) (points int, err error) {
	until := a.clock.Now().Add(day)
	var all []stray
	bounded, cancel := a.db.Bounded(ctx)
	defer cancel()
	rows, err := a.db.Query(bounded, selectStrays, firstTweet, until)
	if err == nil {
		err = collectStrays(&all)(rows)
	}
	if err != nil {
		return 0, err
	}
	points = count(all)
	if points > fewStrays {
		return points, nil
	}
	for _, s := range all[:min(len(all), mostParts)] {
		if _, err := a.EnsurePartitions(ctx, s.day, s.day); err != nil {
			return points, err
		}
	}
	return points, nil
}

// nextSpread finds the partitions that the default one's points belong to: days, and months
// that are over and have no day; nil: there are few such points.
func nextSpread(ctx context.Context, t *postgres.Tx, now time.Time) (*merge, error) {
	var all []stray
	b := t.Group()
	b.Queue(selectStrays, firstTweet, now.Add(day)).Query(collectStrays(&all))
	if err := t.Send(ctx, b); err != nil || count(all) <= fewStrays {
		return nil, err
	}
	have, err := partsOf(ctx, t, "public.twitter_engagement_history")
	if err != nil {
		return nil, err
	}
	parts, rest := missingParts(have, all, now)
	if len(parts) == 0 || count(rest) > fewStrays {
		return nil, err // they could not be left behind
	}
	return &merge{month: parts[0].first, spread: true, parts: parts}, nil
}

// missingParts returns the partitions that strays need, and those of the next days, and the
// strays that these are not for.
func missingParts(have []part, all []stray, now time.Time) (parts []part, rest []stray) {
	for i, s := range all {
		p := part{s.day, s.day.Add(day)}
		month := time.Date(s.day.Year(), s.day.Month(), 1, 0, 0, 0, 0, time.UTC)
		whole := part{month, month.AddDate(0, 1, 0)}
		if !whole.past.After(now.Add(-mergeAge)) && !slices.ContainsFunc(have, whole.overlaps) {
			p = whole
		}
		if slices.Contains(parts, p) {
			continue
		}
		if len(parts) == mostParts {
			rest = all[i:]
			break
		}
		parts = append(parts, p)
	}
	for d := now.UTC().Truncate(day); !d.After(now.Add(partsAhead)); d = d.Add(day) {
		p := part{d, d.Add(day)}
		if !slices.ContainsFunc(have, p.overlaps) && !slices.ContainsFunc(parts, p.overlaps) {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(p, q part) int { return p.first.Compare(q.first) })
	return parts, rest
}

// partsOf lists the partitions of a table, but for the default one, in order.
func partsOf(ctx context.Context, t *postgres.Tx, table string) ([]part, error) {
	var parts []part
	b := t.Group()
	b.Queue(`select p.first, p.past from (` + postgres.PartitionsOf(table) + `) p`).
		Query(postgres.Collect(&parts, func(row pgx.CollectableRow) (p part, err error) {
			err = row.Scan(&p.first, &p.past)
			return part{p.first.UTC(), p.past.UTC()}, err
		}))
	err := t.Send(ctx, b)
	slices.SortFunc(parts, func(p, q part) int { return p.first.Compare(q.first) })
	return parts, err
}

// abandonLost removes what a spread has left whose default partition was emptied by others.
func abandonLost(ctx context.Context, t *postgres.Tx) (lost bool, err error) {
	b := t.Group()
	b.Queue(`select to_regclass($1::text) is not null`, spreadTable).QueryRow(func(row pgx.Row) error { return row.Scan(&lost) })
	if err = t.Send(ctx, b); err == nil && lost {
		err = (&merge{spread: true}).abandon(ctx, t)
	}
	return lost, err
}

// partsAreFree reports whether none of the parts has come to be a partition by other ways.
func (m *merge) partsAreFree(ctx context.Context, t *postgres.Tx) (bool, error) {
	have, err := partsOf(ctx, t, "public.twitter_engagement_history")
	for _, p := range m.parts {
		if slices.ContainsFunc(have, p.overlaps) {
			return false, err
		}
	}
	return len(m.parts) > 0, err
}

// queueParts makes the partitions to be, and one for all else.
func (m *merge) queueParts(b *pgx.Batch, keys []string) {
	b.Queue(`create table ` + spreadTable + ` (like public.twitter_engagement_history including all) partition by range (snapshot_at)`)
	b.Queue(`create table ` + spreadTable + `_rest partition of ` + spreadTable + ` default`)
	for _, p := range m.parts {
		b.Queue(`create table ` + p.name() + ` partition of ` + spreadTable + ` for values from (` + timestamp(p.first) + `) to (` + timestamp(p.past) + `)`)
		queueBounds(b, p.name(), p, keys) // of its own, which it keeps
	}
}

// queueSpread makes the copies partitions, and leaves the rest in the default one.
func (m *merge) queueSpread(b *pgx.Batch, columns string) {
	b.Queue(`drop trigger gorgone_merge on ` + defaultTable)
	b.Queue(`drop trigger gorgone_merge_emptied on ` + defaultTable)
	b.Queue(`truncate ` + defaultTable)
	b.Queue(`insert into ` + defaultTable + ` (` + columns + `) select ` + columns + ` from ` + spreadTable + `_rest`)
	for _, p := range m.parts {
		b.Queue(`alter table ` + spreadTable + ` detach partition ` + p.name())
		queueAttach(b, p.name(), p)
	}
	b.Queue(`drop table ` + spreadTable)
}
