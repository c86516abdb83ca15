package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// retainFor is the real time that one call of [Store.Retain] goes on for, not
	// counting the step it is in at the end.
	retainFor = 10 * time.Second

	// deleteRows is how many points one transaction deletes at most.
	deleteRows = 5000

	// retentionLock is the key of the lock under which history is cut down. It is
	// an arbitrary number ("keep" in hexadecimal ASCII).
	retentionLock = 0x6b656570

	// briefLock is how long a step waits for a lock that others wait for behind it.
	// Then it is put off until the next call.
	briefLock = "1s"
)

// Retention says how long history is kept, in engine time. A tweet that is thinned
// out keeps its first point too: its curve begins where it began.
type Retention struct {
	Full   time.Duration // every point; 0: all of them for ever
	Hourly time.Duration // beyond that, a tweet's last point of each hour (UTC)
	Daily  time.Duration // beyond that, a tweet's last point of each day (UTC)
}

// total is how long anything is kept.
func (r Retention) total() time.Duration { return r.Full + r.Hourly + r.Daily }

// Retained is what one call of [Store.Retain] did.
type Retained struct {
	Dropped int  // partitions
	Deleted int  // points older than anything that is kept, outside of partitions
	Thinned int  // points taken out of a curve
	Busy    bool // another process is at it, or a table was in use: the next call goes on
}

// Retain cuts history down to what is to be kept: it drops partitions that are
// over, deletes old points where history is not partitioned, and thins what lies
// in between. It works in short transactions for about ten seconds and leaves the
// rest to the next call. Any number of processes may call it; one works at a time.
//
// Only whole days (UTC) are touched, of which the last moment is old enough, so
// nothing that it locks is written by claims or answers.
func (s *Store) Retain(ctx context.Context, r Retention) (Retained, error) {
	var done Retained
	if r.Full <= 0 {
		return done, nil
	}
	partitioned, err := s.partitioned(ctx)
	if err != nil {
		return done, fmt.Errorf("look how history is kept: %w", err)
	}
	now := s.clock.Now()
	oldest := now.Add(-r.total()).Truncate(day) // the first day of which something is kept
	until := time.Now().Add(retainFor)
	for _, step := range []func(context.Context) (more bool, err error){
		func(ctx context.Context) (bool, error) { return s.dropOldest(ctx, oldest, &done) },
		func(ctx context.Context) (bool, error) { return s.deleteOldest(ctx, partitioned, oldest, &done) },
		func(ctx context.Context) (bool, error) { return s.thinNext(ctx, partitioned, r, now, &done) },
	} {
		for more := true; more && !done.Busy && time.Now().Before(until) && ctx.Err() == nil; {
			if more, err = step(ctx); err != nil {
				return done, err
			}
		}
	}
	return done, nil
}

// retain runs one step under the lock of all that cut history down. It marks the
// work as busy, and writes nothing, when another process holds that lock or a
// table was in use for too long.
func (s *Store) retain(ctx context.Context, doing string, done *Retained, f func(context.Context, *tx) error) error {
	err := s.db.transact(ctx, doing, func(ctx context.Context, t *tx) error {
		b := t.group()
		b.Queue(`select set_config('lock_timeout', $1::text, true)`, briefLock)
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(retentionLock)).QueryRow(func(r pgx.Row) error {
			var got bool
			err := r.Scan(&got)
			done.Busy = !got
			return err
		})
		if err := t.send(ctx, b); err != nil || done.Busy {
			return err
		}
		return f(ctx, t)
	})
	if hasCode(err, codeLockNotAvailable) {
		done.Busy = true
		return nil
	}
	return err
}

// partitioned reports whether history is kept in partitions of ours, as on every
// database that was empty at first.
func (s *Store) partitioned(ctx context.Context) (bool, error) {
	var is bool
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	err := s.db.pool.QueryRow(ctx, `select to_regclass('gorgone.history_default') is not null`).Scan(&is)
	return is, err
}

// selectPartitions lists the partitions that are a day's.
const selectPartitions = `
	select c.relname
	from pg_inherits i join pg_class c on c.oid = i.inhrelid
	where i.inhparent = to_regclass('public.twitter_engagement_history')
	and c.relnamespace = to_regnamespace('gorgone') and c.relname ~ '^history_\d{4}_\d{2}_\d{2}$'`

// dropOldest drops the oldest partition, if it ended before the given day.
func (s *Store) dropOldest(ctx context.Context, before time.Time, done *Retained) (more bool, err error) {
	const oldest = `select c.relname from (` + selectPartitions + `) c where c.relname < $1::text order by c.relname limit 1`
	var table string
	err = s.retain(ctx, "drop a partition", done, func(ctx context.Context, t *tx) error {
		table = ""
		b := t.group()
		b.Queue(oldest, partitionTable(before)).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				if err := rows.Scan(&table); err != nil {
					return err
				}
			}
			return rows.Err()
		})
		if err := t.send(ctx, b); err != nil || table == "" {
			return err
		}
		b = t.group()
		b.Queue(`drop table ` + pgx.Identifier{"gorgone", table}.Sanitize())
		b.Queue(`delete from gorgone.history_days where day < $1::date`, before)
		return t.send(ctx, b)
	})
	if err != nil || done.Busy || table == "" {
		return false, err
	}
	done.Dropped++
	return true, nil
}

// deleteOldest deletes some of the points from before the given time that are in no
// partition of a day.
func (s *Store) deleteOldest(ctx context.Context, partitioned bool, before time.Time, done *Retained) (more bool, err error) {
	table := "public.twitter_engagement_history"
	if partitioned {
		table = "gorgone.history_default"
	}
	sql := `
		delete from ` + table + ` where (id, snapshot_at) in (
			select id, snapshot_at from ` + table + ` where snapshot_at < $1::timestamptz order by snapshot_at limit $2::int4)`
	deleted := 0
	err = s.retain(ctx, "delete old history", done, func(ctx context.Context, t *tx) error {
		tag, err := t.conn.Exec(ctx, sql, before, deleteRows)
		deleted = int(tag.RowsAffected())
		return err
	})
	done.Deleted += deleted
	return deleted == deleteRows, err
}
