package scale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorgone/internal/app"
	"gorgone/store/postgres"
)

// measureFor bounds the time that one figure takes.
const measureFor = 15 * time.Second

// action is something that is done several times and measured.
type action struct {
	name  string
	kind  Kind
	runs  int
	items int                         // that one run handles; 0: one
	do    func(context.Context) error // on the database that measure is given
	after func(context.Context) error // not measured; nil: nothing
}

// measure does an action and records what it costs. One that takes longer than a statement
// may is recorded as failed.
func (s *size) measure(ctx context.Context, db *app.Database, a action) error {
	f := Figure{Name: a.name, Kind: a.kind, Items: max(a.items, 1)}
	var took []time.Duration
	var rows int64
	began := time.Now()
	for n := 0; n < a.runs && (n == 0 || time.Since(began) < measureFor); n++ {
		before, err := s.reads(ctx, db)
		if err != nil {
			return err
		}
		start := time.Now()
		err = a.do(ctx)
		took = append(took, time.Since(start))
		if ctx.Err() == nil && (postgres.HasCode(err, postgres.CodeQueryCanceled) || errors.Is(err, context.DeadlineExceeded)) {
			f.Failed = fmt.Sprintf("over %s", time.Since(start).Round(time.Second))
			break
		}
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		after, err := s.reads(ctx, db)
		if err != nil {
			return err
		}
		rows += after.rows - before.rows
		f.Whole = f.Whole || after.whole > before.whole
		if a.after != nil {
			if err := a.after(ctx); err != nil {
				return fmt.Errorf("after %s: %w", a.name, err)
			}
		}
	}
	f.Runs, f.Rows = len(took), float64(rows)/float64(len(took))/float64(f.Items)
	f.times(took)
	s.result.add(f)
	return nil
}

// times sets the percentiles.
func (f *Figure) times(took []time.Duration) {
	slices.Sort(took)
	at := func(p int) float64 {
		if len(took) == 0 {
			return 0
		}
		return float64(took[(len(took)*p+99)/100-1].Microseconds()) / 1000
	}
	f.P50, f.P95, f.P99 = at(50), at(95), at(99)
}

// readCount is what was read so far from tweets, tracking and history: rows and entries of
// indexes, and whole tables.
type readCount struct{ rows, whole int64 }

// reads reads the count, of what the one connection of db has done too.
func (s *size) reads(ctx context.Context, db *app.Database) (c readCount, err error) {
	// The server counts a session's reads when that has been idle for a second, or at once.
	if _, err := db.DB.Exec(ctx, `select pg_stat_force_next_flush()`); err != nil {
		return c, fmt.Errorf("count what is read (this needs PostgreSQL 15): %w", err)
	}
	const sql = `
		with hot as (
			select relid, seq_tup_read, case when relname like 'twitter%' then seq_scan else 0 end seq_scan from pg_stat_user_tables
			where relname in ('twitter_tweets', 'twitter_engagement_tracking', 'twitter_engagement_history') or relname like 'history\_%')
		select coalesce((select sum(seq_tup_read) from hot), 0)::int8 + coalesce((select sum(idx_tup_read) from pg_stat_user_indexes where relid in (select relid from hot)), 0)::int8,
			coalesce((select sum(seq_scan) from hot), 0)::int8`
	err = s.sql.QueryRow(ctx, sql).Scan(&c.rows, &c.whole)
	return c, err
}
