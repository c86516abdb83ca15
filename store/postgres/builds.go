package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// buildPoll is how often a watcher looks how far the builds are.
const buildPoll = 500 * time.Millisecond

// Build is how far the building of an index is, in one of its phases.
type Build struct {
	Index       string
	Phase       string // as Postgres names it
	Unit        string // of the counts: blocks, rows, or transactions that are waited for
	Done, Total int    // Total is 0 in a phase that does not count
}

// selectBuilds reads the builds of this role in this database. In each phase Postgres counts
// something else, and sets the other counts to 0.
const selectBuilds = `
	select coalesce(c.relname, ''), p.phase, n.unit, n.done, n.total
	from pg_stat_progress_create_index p
	join pg_stat_activity a on a.pid = p.pid
	left join pg_class c on c.oid = p.index_relid
	cross join lateral (
		select 'transactions', p.lockers_done, p.lockers_total where p.lockers_total > 0
		union all select 'rows', p.tuples_done, p.tuples_total where p.lockers_total = 0 and p.tuples_total > 0
		union all select 'blocks', p.blocks_done, p.blocks_total where p.lockers_total = 0 and p.tuples_total = 0
	) n (unit, done, total)
	where p.datname = current_database() and a.usename = current_user
	order by p.pid`

// WatchBuilds reports how far the indexes are that [Migrate] builds in the database at url,
// twice a second until ctx ends, which is no error.
func WatchBuilds(ctx context.Context, url string, report func(Build)) error {
	err := watchBuilds(ctx, url, report)
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it ended because it was to
	}
	return fmt.Errorf("watch the building of indexes: %w", err)
}

func watchBuilds(ctx context.Context, url string, report func(Build)) (err error) {
	m, err := newMigrator(ctx, url)
	if err != nil {
		return err
	}
	conn, err := m.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	tick := time.NewTicker(buildPoll)
	defer tick.Stop()
	for {
		rows, err := conn.Query(ctx, selectBuilds)
		if err != nil {
			return err
		}
		builds, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Build])
		if err != nil {
			return err
		}
		for _, b := range builds {
			report(b)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
