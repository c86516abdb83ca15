package history

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

const (
	// retainFor is the real time that one call of [Archive.Retain] goes on for, not
	// counting the step it is in at the end.
	retainFor = 10 * time.Second

	// deleteRows is how many points one transaction deletes at most.
	deleteRows = 5000

	// retentionLock is the key of the lock under which history is cut down. It is
	// an arbitrary number ("keep" in hexadecimal ASCII).
	retentionLock = 0x6b656570

	// briefLock is how long a step waits for a lock that others wait for behind it.
	// Then it is put off until the next call.
	briefLock = "100ms"

	// keepNewest is how much later than the newest point in the history the time is taken
	// to be at most: an engine that stood still for months does not come back to an empty
	// history, and neither does one whose clock was never right.
	keepNewest = 48 * time.Hour
)

// Retention says how long history is kept, in engine time. A tweet that is
// downsampled keeps its first point too: its curve begins where it began.
type Retention struct {
	// Chosen says that the operator set it, rather than that it is the default. A default
	// removes nothing from a history that was there before the engine, and from another only
	// with [Archive.Consent].
	Chosen bool

	Full   time.Duration // every point; 0: all of them for ever
	Hourly time.Duration // beyond that, a tweet's last point of each hour (UTC)
	Daily  time.Duration // beyond that, a tweet's last point of each day (UTC)
}

// total is how long anything is kept.
func (r Retention) total() time.Duration { return r.Full + r.Hourly + r.Daily }

// Retained is what one call of [Archive.Retain] did.
type Retained struct {
	Dropped     int  // partitions
	Deleted     int  // points older than anything that is kept, outside of partitions
	Downsampled int  // points deleted from a curve, by downsampling
	Unfinished  bool // time was up: the next call goes on
	Busy        bool // another process is at it, or a table was in use: the next call goes on
	Waiting     bool // points are old enough, and r is a default that may not remove them
}

// Retain cuts history down to what is to be kept: it drops partitions that are
// over, deletes old points where history is not partitioned, and downsamples what
// lies in between. It works in short transactions for about ten seconds and leaves the
// rest to the next call. Any number of processes may call it; one works at a time.
//
// Only whole days (UTC) are touched, of which the last moment is old enough, so
// nothing that it locks is written by claims or answers, but for the end of a stretch without
// change that ended long ago: an answer that writes it waits while its day is rewritten. What
// is old is told by the database's clock, and only while this machine's agrees; and the newest
// points are never old, whatever the time is.
func (a *Archive) Retain(ctx context.Context, r Retention) (Retained, error) {
	var done Retained
	if r.Full <= 0 {
		return done, nil
	}
	if err := a.clock.Agrees(); err != nil {
		return done, fmt.Errorf("cut down the history: %w", err)
	}
	if !r.Chosen {
		cut, err := a.cut(ctx, r)
		if done.Waiting = err == nil && cut.Waiting(r); err != nil || !cut.Allowed(r) {
			return done, err
		}
	}
	partitioned, err := a.partitioned(ctx)
	if err != nil {
		return done, fmt.Errorf("look how history is kept: %w", err)
	}
	now := a.clock.Now()
	if err := a.clock.Agrees(); err != nil { // the clock may have been read since the first look
		return done, fmt.Errorf("cut down the history: %w", err)
	}
	now, err = a.newest(ctx, partitioned, now)
	if err != nil {
		return done, fmt.Errorf("look for the newest point of the history: %w", err)
	}
	oldest := now.Add(-r.total()).Truncate(day) // the first day of which something is kept
	until := time.Now().Add(retainFor)
	for _, step := range []func(context.Context) (more bool, err error){
		func(ctx context.Context) (bool, error) { return a.dropOldest(ctx, oldest, &done) },
		func(ctx context.Context) (bool, error) { return a.deleteOldest(ctx, partitioned, oldest, &done) },
		func(ctx context.Context) (bool, error) { return a.downsampleNext(ctx, partitioned, r, now, &done) },
	} {
		for more := true; more && !done.Busy && time.Now().Before(until) && ctx.Err() == nil; {
			if more, err = step(ctx); err != nil {
				return done, err
			}
			done.Unfinished = more && !time.Now().Before(until)
		}
	}
	return done, nil
}

// newest returns now, or keepNewest after the newest point of the history if that is
// earlier. Partitions are looked into from the last on until one holds a point.
func (a *Archive) newest(ctx context.Context, partitioned bool, now time.Time) (time.Time, error) {
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	newestOf := func(table, where string, args ...any) (at *time.Time, err error) {
		err = a.db.QueryRow(ctx, `select max(snapshot_at) from `+table+where, args...).Scan(&at)
		return at, err
	}
	if !partitioned {
		at, err := newestOf("public.twitter_engagement_history", ` where snapshot_at <= $1::timestamptz`, now)
		return earlier(now, at), err
	}
	tables, err := a.partitions(ctx, `p.first <= $1::timestamptz`, now)
	if err != nil {
		return now, err
	}
	latest, err := newestOf("gorgone.history_default", ` where snapshot_at <= $1::timestamptz`, now)
	if err != nil {
		return now, err
	}
	for _, table := range tables {
		at, err := newestOf(pgx.Identifier{"gorgone", table}.Sanitize(), "")
		if err != nil {
			return now, err
		}
		if at != nil {
			if latest == nil || at.After(*latest) {
				latest = at
			}
			break
		}
	}
	return earlier(now, latest), nil
}

// earlier returns now, or keepNewest after the newest point, which may be nil: there is none.
func earlier(now time.Time, newest *time.Time) time.Time {
	if newest != nil && newest.Add(keepNewest).Before(now) {
		return newest.Add(keepNewest).UTC()
	}
	return now
}

// retain runs one step under the lock of all that rewrite old history. The history is busy,
// and nothing is written, when another process holds that lock or a table was in use for
// too long.
func (a *Archive) retain(ctx context.Context, doing string, f func(context.Context, *postgres.Tx) error) (busy bool, err error) {
	err = a.db.Transact(ctx, doing, func(ctx context.Context, t *postgres.Tx) error {
		b := t.Group()
		postgres.PlanForArguments(b)
		b.Queue(`select set_config('lock_timeout', $1::text, true)`, briefLock)
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(retentionLock)).QueryRow(func(r pgx.Row) error {
			var got bool
			err := r.Scan(&got)
			busy = !got
			return err
		})
		if err := t.Send(ctx, b); err != nil || busy {
			return err
		}
		return f(ctx, t)
	})
	if postgres.HasCode(err, postgres.CodeLockNotAvailable) {
		return true, nil
	}
	return busy, err
}

// partitioned reports whether history is kept in partitions of ours, as on every
// database that was empty at first.
func (a *Archive) partitioned(ctx context.Context) (bool, error) {
	var is bool
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	err := a.db.QueryRow(ctx, `select to_regclass('gorgone.history_default') is not null`).Scan(&is)
	return is, err
}

// dropOldest drops the oldest partition, if it ended before the given day.
func (a *Archive) dropOldest(ctx context.Context, before time.Time, done *Retained) (more bool, err error) {
	const oldest = `select p.name from (` + postgres.HistoryPartitions + `) p where p.past <= $1::timestamptz order by p.past limit 1`
	dropped := false
	done.Busy, err = a.retain(ctx, "drop a partition", func(ctx context.Context, t *postgres.Tx) error {
		var tables []string
		more, dropped = false, false
		b := t.Group()
		b.Queue(oldest, before).Query(postgres.Collect(&tables, pgx.RowTo[string]))
		if err := t.Send(ctx, b); err != nil || len(tables) == 0 {
			return err
		}
		more = true
		// What is copied of it must not come back.
		m, err := readMerge(ctx, t)
		if err != nil {
			return err
		}
		if m != nil && m.month.Before(before) {
			return m.abandon(ctx, t)
		}
		dropped = true
		b = t.Group()
		b.Queue(`drop table ` + pgx.Identifier{"gorgone", tables[0]}.Sanitize())
		b.Queue(`delete from gorgone.history_days where day < $1::date`, before)
		return t.Send(ctx, b)
	})
	if err != nil || done.Busy {
		return false, err
	}
	if dropped {
		done.Dropped++
	}
	return more, nil
}

// deleteOldest deletes some of the points from before the given day that are in a table
// with newer ones: an adopted history, the default partition, or a month.
func (a *Archive) deleteOldest(ctx context.Context, partitioned bool, before time.Time, done *Retained) (more bool, err error) {
	if !partitioned {
		return a.deleteFrom(ctx, "public.twitter_engagement_history", ` order by snapshot_at`, before, done)
	}
	if more, err = a.deleteFrom(ctx, "gorgone.history_default", "", before, done); err != nil || more || done.Busy {
		return more, err
	}
	if a.cutUntil.Load() == before.Unix() { // a month is read through to find that nothing is left
		return false, nil
	}
	tables, err := a.partitions(ctx, `p.first < $1::timestamptz and p.past > $1::timestamptz`, before)
	if err != nil {
		return false, fmt.Errorf("look for the month that retention ends in: %w", err)
	}
	for _, table := range tables {
		if more, err = a.deleteFrom(ctx, pgx.Identifier{"gorgone", table}.Sanitize(), "", before, done); err != nil || more || done.Busy {
			return more, err
		}
	}
	a.cutUntil.Store(before.Unix())
	return false, nil
}

func (a *Archive) deleteFrom(ctx context.Context, table, order string, before time.Time, done *Retained) (more bool, err error) {
	deleted := 0
	done.Busy, err = a.retain(ctx, "delete old history", func(ctx context.Context, t *postgres.Tx) error {
		tag, err := t.Exec(ctx, `
			delete from `+table+` where (id, snapshot_at) in (
				select id, snapshot_at from `+table+` where snapshot_at < $1::timestamptz`+order+` limit $2::int4)`, before, deleteRows)
		deleted = int(tag.RowsAffected())
		return err
	})
	done.Deleted += deleted
	return deleted == deleteRows, err
}

// partitions returns the names of the partitions that a condition selects, the newest first.
func (a *Archive) partitions(ctx context.Context, where string, args ...any) ([]string, error) {
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	rows, err := a.db.Query(ctx, `select p.name from (`+postgres.HistoryPartitions+`) p where `+where+` order by p.first desc`, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
