package history

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

const (
	day = 24 * time.Hour

	// maxPartitions bounds what one call makes; more is a wrong time.
	maxPartitions = 1000

	// partitionLock is the key of the lock under which partitions are made. It
	// is an arbitrary number ("parts" in hexadecimal ASCII).
	partitionLock = 0x7061727473

	// lockTries is how often a lock for a partition is tried for in one call, and lockPause how
	// long others have it between: on a busy machine most transactions last longer than is
	// waited for.
	lockTries = 8
	lockPause = 150 * time.Millisecond

	// briefMove is how long points may take to be moved out of the default partition, which
	// nothing can write meanwhile.
	briefMove = "500ms"
)

// EnsurePartitions makes sure that history has a partition for every day (UTC)
// from the day of from to the day of to, both included, and returns how many it
// made. On a database whose history is not partitioned it does nothing. Several
// callers at once are safe.
//
// Snapshots of a day without a partition are not lost: they go to a default
// partition, from which they are moved when theirs is made. Making one ahead of
// its day is cheap. It waits for transactions under way, and new ones wait for it, for a
// tenth of a second at most, and tries that eight times: if a table is in use for longer, as
// during a dump, or another caller is at it, the partition is left to the next call.
func (a *Archive) EnsurePartitions(ctx context.Context, from, to time.Time) (int, error) {
	first, last := from.UTC().Truncate(day), to.UTC().Truncate(day)
	if n := int(last.Sub(first)/day) + 1; n > maxPartitions {
		return 0, fmt.Errorf("make %d partitions of a day from %s on: more than %d, is the clock right?", n, first.Format(time.DateOnly), maxPartitions)
	}
	missing, err := a.missingPartitions(ctx, first, last)
	if err != nil {
		return 0, fmt.Errorf("look at the partitions of history: %w", err)
	}
	made := 0
	for _, d := range missing {
		created, err := a.ensurePartition(ctx, d)
		if postgres.HasCode(err, postgres.CodeLockNotAvailable) || postgres.HasCode(err, postgres.CodeQueryCanceled) {
			return made, nil
		}
		if err != nil {
			return made, fmt.Errorf("the history of %s: %w", d.Format(time.DateOnly), err)
		}
		if created {
			made++
		}
	}
	return made, nil
}

// ensurePartition makes a day's partition, unless another call is at it, as soon as one of its
// tries gets the locks.
func (a *Archive) ensurePartition(ctx context.Context, d time.Time) (created bool, err error) {
	for try := 1; ; try++ {
		err = a.db.Transact(ctx, "make a partition", func(ctx context.Context, t *postgres.Tx) (err error) {
			created, err = makePartition(ctx, t, d)
			return err
		})
		if try == lockTries || !postgres.HasCode(err, postgres.CodeLockNotAvailable) {
			return created, err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

// partitionTable is the name of a day's partition in the schema gorgone.
func partitionTable(d time.Time) string { return "history_" + d.Format("2006_01_02") }

func partitionName(d time.Time) string {
	return pgx.Identifier{"gorgone", partitionTable(d)}.Sanitize()
}

// missingPartitions returns the days that have no partition and are in none of a month; none when history
// is not partitioned.
func (a *Archive) missingPartitions(ctx context.Context, first, last time.Time) ([]time.Time, error) {
	var (
		days  []time.Time
		names []string
	)
	for d := first; !d.After(last); d = d.Add(day) {
		days = append(days, d)
		names = append(names, partitionName(d))
	}
	const sql = `
		select u.n::int4
		from unnest($1::text[]) with ordinality u (name, n)
		where to_regclass(u.name) is null
		and not exists (select from (` + postgres.HistoryPartitions + `) p
			where p.first <= $2::timestamptz + (u.n - 1) * interval '1 day' and p.past > $2::timestamptz + (u.n - 1) * interval '1 day')
		and exists (select from pg_partitioned_table where partrelid = to_regclass('public.twitter_engagement_history'))
		order by u.n`
	ctx, cancel := a.db.Bounded(ctx)
	defer cancel()
	rows, err := a.db.Query(ctx, sql, names, first)
	if err != nil {
		return nil, err
	}
	numbers, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		return nil, err
	}
	missing := make([]time.Time, len(numbers))
	for i, n := range numbers {
		missing[i] = days[n-1]
	}
	return missing, nil
}

// makePartition makes the partition of a day, and moves the snapshots of that day
// out of the default partition, which could not be there beside it.
func makePartition(ctx context.Context, t *postgres.Tx, d time.Time) (bool, error) {
	name := partitionName(d)
	var free, exists bool
	b := t.Group()
	b.Queue(`select set_config('lock_timeout', $1::text, true), set_config('statement_timeout', $2::text, true)`, briefLock, briefMove)
	b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(partitionLock)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
	// Not to_regclass: it may answer from what this session knew before it waited.
	b.Queue(`select exists (select from pg_class where relnamespace = 'gorgone'::regnamespace and relname = $1::text)`,
		partitionTable(d)).QueryRow(func(r pgx.Row) error { return r.Scan(&exists) })
	if err := t.Send(ctx, b); err != nil || exists || !free {
		return false, err
	}
	const layout = "2006-01-02 15:04:05+00"
	from, to := "'"+d.Format(layout)+"'", "'"+d.Add(day).Format(layout)+"'"
	b = t.Group()
	// Tweets first: its lock is needed for the foreign key, and writers of ours
	// take theirs in this order too.
	b.Queue(`lock table public.twitter_tweets in share row exclusive mode`)
	b.Queue(`create table ` + name + ` (like public.twitter_engagement_history including defaults including generated)`)
	// And the history: a statement that knows its partitions already, and waits for the default
	// one only, would look for the points that are moved where they no longer are, or would
	// put one where it may no longer be.
	b.Queue(`lock table only public.twitter_engagement_history, only gorgone.history_default in access exclusive mode`)
	if err := t.Send(ctx, b); err != nil {
		return false, err
	}
	// A group of its own: its statements are parsed before any of them runs, and
	// they name the table made above.
	b = t.Group()
	b.Queue(`
		with moved as (
			delete from gorgone.history_default
			where snapshot_at >= ` + from + ` and snapshot_at < ` + to + ` returning *
		)
		insert into ` + name + ` (` + historyColumns + `) select ` + historyColumns + ` from moved`)
	b.Queue(`alter table public.twitter_engagement_history attach partition ` + name + ` for values from (` + from + `) to (` + to + `)`)
	if err := t.Send(ctx, b); err != nil {
		return false, err
	}
	return true, nil
}

// historyColumns are the columns of history that are not generated.
const historyColumns = `id, tweet_id,
	retweet_count, reply_count, like_count, quote_count, view_count, bookmark_count,
	delta_retweets, delta_replies, delta_likes, delta_quotes, delta_views,
	engagement_velocity, snapshot_at, created_at, provider, provider_changed, pushed`
