package history

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// copyNext copies the next points of the next source. When it has come to its end, it copies
// what was written meanwhile and checks that all is there.
func (m *merge) copyNext(ctx context.Context, t *postgres.Tx, done *Merged) error {
	columns, err := columnsOfHistory(ctx, t)
	if err != nil {
		return err
	}
	source := m.sources()[m.copied]
	// In the order of curves, by the index that they are read by.
	sql := `
		with part as materialized (
			select ` + columns + ` from ` + source + `
			where $1::uuid is null or (tweet_id, snapshot_at, id) > ($1::uuid, $2::timestamptz, $3::uuid)
			order by tweet_id, snapshot_at, id limit $4::int4
		), tweets as materialized (` + lockTweets(`select tweet_id from part`) + `
		), put as (
			insert into ` + m.name() + ` (` + columns + `) select ` + columns + ` from part
			where (select count(*) from tweets) >= 0 on conflict do nothing
		)
		select p.tweet_id, p.snapshot_at, p.id, (select count(*)::int4 from part)
		from part p order by p.tweet_id desc, p.snapshot_at desc, p.id desc limit 1`
	n := 0
	b := t.Group()
	b.Queue(sql, m.tweet, m.at, m.point, copyPoints).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&m.tweet, &m.at, &m.point, &n}, func() error { return nil })
		return err
	})
	if err := t.Send(ctx, b); err != nil {
		return fmt.Errorf("copy %s: %w", source, err)
	}
	done.Points += n
	if n < copyPoints {
		complete, err := m.verify(ctx, t, columns)
		if err != nil {
			return err
		}
		if complete {
			m.copied++
			m.tweet, m.at, m.point = uuid.NullUUID{}, nil, uuid.NullUUID{}
		}
	}
	b = t.Group()
	b.Queue(`update gorgone.history_merge set copied = $1::int4, tweet_id = $2::uuid, snapshot_at = $3::timestamptz, point = $4::uuid`,
		m.copied, m.tweet, m.at, m.point)
	if m.copied == len(m.sources()) {
		b.Queue(`analyze ` + m.name())
	}
	return t.Send(ctx, b)
}

// lockTweets locks the rows of tweets, as the foreign key of a point does when it is
// copied, but waits for none: a merge that held some and waited for another could be waited
// for by who deletes them all. What is locked by others is for the next call.
func lockTweets(ids string) string {
	return `select id from public.twitter_tweets where id in (` + ids + `) for key share nowait`
}

// verify counts the points of a source that was copied and those of the copy. While there is
// more to copy again than one transaction should, it is not complete.
func (m *merge) verify(ctx context.Context, t *postgres.Tx, columns string) (complete bool, err error) {
	again, err := m.copyChanges(ctx, t, columns)
	if err != nil || again == copyPoints {
		return false, err
	}
	var points, copied int64
	var changed bool // after that: the next time it is counted in the swap's stead
	source := m.sources()[m.copied]
	first, past := m.bounds(m.copied)
	b := t.Group()
	b.Queue(`select (select count(*) from ` + source + `), (select count(*) from ` + m.name() + `
		where snapshot_at >= ` + first + ` and snapshot_at < ` + past + `), exists (select from gorgone.history_changes)`).
		QueryRow(func(row pgx.Row) error { return row.Scan(&points, &copied, &changed) })
	if err := t.Send(ctx, b); err != nil {
		return false, err
	}
	if points != copied && !changed {
		return false, fmt.Errorf("the copy of %s has %d points of %d", source, copied, points)
	}
	return !changed, nil
}

// copyChanges copies points again that were written since they were copied, the first so
// many, and returns how many it took.
func (m *merge) copyChanges(ctx context.Context, t *postgres.Tx, columns string) (int, error) {
	var (
		points []uuid.UUID
		at     []time.Time
	)
	b := t.Group()
	b.Queue(`delete from gorgone.history_changes where n in (select n from gorgone.history_changes order by n limit $1::int4) returning point, snapshot_at`,
		copyPoints).Query(func(rows pgx.Rows) error {
		var p uuid.UUID
		var when time.Time
		_, err := pgx.ForEachRow(rows, []any{&p, &when}, func() error {
			points, at = append(points, p), append(at, when)
			return nil
		})
		return err
	})
	if err := t.Send(ctx, b); err != nil || len(points) == 0 {
		return 0, err
	}
	// Statements after that one see all that they noted. A few points are found by the key,
	// however large the tables are, of which the planner may not know how they have grown.
	b = t.Group()
	others := []string{"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"}
	for _, way := range others {
		b.Queue(`set local ` + way + ` to off`)
	}
	written, first, past := "public.twitter_engagement_history", timestamp(m.month), timestamp(m.past())
	if m.spread {
		written = defaultTable // what has left it is in a partition already
		first, past = m.bounds(0)
	}
	given := ` h where (h.id, h.snapshot_at) in (select * from unnest($1::uuid[], $2::timestamptz[])) and h.snapshot_at >= ` + first + ` and h.snapshot_at < ` + past
	b.Queue(lockTweets(`select tweet_id from `+written+given+` union all select tweet_id from `+m.name()+given), points, at)
	b.Queue(`delete from `+m.name()+` h using unnest($1::uuid[], $2::timestamptz[]) u (id, at) where h.id = u.id and h.snapshot_at = u.at`, points, at)
	b.Queue(`insert into `+m.name()+` (`+columns+`) select `+columns+` from `+written+given, points, at)
	for _, way := range others {
		b.Queue(`set local ` + way + ` to default`)
	}
	if err := t.Send(ctx, b); err != nil {
		return 0, fmt.Errorf("copy what was written meanwhile: %w", err)
	}
	return len(points), nil
}

// swap puts the copy in the place of its sources. While more than a little is left that was
// written meanwhile, it copies that instead. It does not do both: each point that is copied
// locks the row of its tweet, for which another may wait whose locks are waited for here.
func (m *merge) swap(ctx context.Context, t *postgres.Tx, done *Merged) error {
	columns, err := columnsOfHistory(ctx, t)
	if err != nil {
		return err
	}
	var much bool
	b := t.Group()
	b.Queue(`select exists (select from gorgone.history_changes offset $1::int4)`, swapPoints).
		QueryRow(func(row pgx.Row) error { return row.Scan(&much) })
	if err := t.Send(ctx, b); err != nil {
		return err
	}
	if much {
		_, err := m.copyChanges(ctx, t, columns)
		return err
	}
	b = t.Group()
	b.Queue(`select set_config('statement_timeout', $1::text, true)`, briefMove)
	// In the order of writers. Only the first is waited for: who waits and holds nothing is
	// in no deadlock, and blocks one table only.
	b.Queue(`lock table only public.twitter_tweets in access exclusive mode`)
	b.Queue(`lock table only public.twitter_engagement_history, ` + strings.Join(m.locked(), ", ") + ` in access exclusive mode nowait`)
	if err := t.Send(ctx, b); err != nil {
		return err
	}
	// Nothing is written from here on.
	if n, err := m.copyChanges(ctx, t, columns); err != nil || n == copyPoints {
		return err
	}
	if same, err := m.fits(ctx, t); err != nil || !same {
		return err
	}
	b = t.Group()
	if m.spread {
		m.queueSpread(b, columns)
	} else {
		m.queueMonth(b, columns)
		done.Months++
	}
	b.Queue(`delete from gorgone.history_merge`)
	return t.Send(ctx, b)
}

// locked names the tables that a swap changes, in the order of writers.
func (m *merge) locked() []string {
	if m.spread {
		return []string{"only " + defaultTable}
	}
	return append([]string{"only " + defaultTable}, m.sources()...)
}

// queueMonth makes the copy the partition of its month.
func (m *merge) queueMonth(b *pgx.Batch, columns string) {
	of := part{m.month, m.past()}
	b.Queue(`with moved as (
			delete from ` + defaultTable + ` where snapshot_at >= ` + timestamp(of.first) + ` and snapshot_at < ` + timestamp(of.past) + ` returning *
		) insert into ` + m.name() + ` (` + columns + `) select ` + columns + ` from moved`)
	b.Queue(`drop table ` + strings.Join(m.sources(), ", "))
	queueAttach(b, m.name(), of)
}

// queueAttach makes a table a partition.
func queueAttach(b *pgx.Batch, table string, of part) {
	b.Queue(`alter table public.twitter_engagement_history attach partition ` + table + ` for values from (` + timestamp(of.first) + `) to (` + timestamp(of.past) + `)`)
	b.Queue(`alter table ` + table + ` drop constraint ` + withinPart)
}
