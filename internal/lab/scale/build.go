package scale

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/sourcegraph/conc/pool"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	// copyTweets is how many tweets are copied in one transaction, and again after a run
	// that ended within it.
	copyTweets = 50_000
	copiers    = 2
)

// makeSchema makes the tables with the engine's own migrations, the zones, and the days of
// the history. The indexes that the migrations look after are built when the rows are there.
func (s *size) makeSchema(ctx context.Context) error {
	if _, err := postgres.Migrate(ctx, s.server.URL()); err != nil {
		return err
	}
	db, err := s.database(ctx, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.History.EnsurePartitions(ctx, s.now.Add(-span), s.now.Add(48*time.Hour)); err != nil {
		return err
	}
	var ids []uuid.UUID
	for n := range zones {
		ids = append(ids, zoneID(n))
	}
	if _, err := s.sql.Exec(ctx, `
		with client as (insert into public.clients (id, name) values ($2, 'scale') on conflict do nothing)
		insert into public.zones (id, name, client_id) select id, 'zone ' || n, $2 from unnest($1::uuid[]) with ordinality u (id, n)
		on conflict do nothing`, ids, randomID(0)); err != nil {
		return fmt.Errorf("make the zones: %w", err)
	}
	return s.exec(ctx,
		`drop index if exists public.gorgone_tracking_zone_due, public.gorgone_tracking_retry, public.gorgone_tracking_recheck,
			public.gorgone_tracking_velocity, public.gorgone_tracking_engagement,
			public.gorgone_tweets_zone_posted, public.gorgone_tweets_author`,
		`create table if not exists gorgone.scale_copied (chunk int primary key)`)
}

// copyRows copies tweets, tracking rows and points, chunk by chunk.
func (s *size) copyRows(ctx context.Context) (err error) {
	// A crash of the machine, which this risks, costs a database that can be built again.
	fast := []string{"fsync = off", "full_page_writes = off", "synchronous_commit = off", "autovacuum = off"}
	for _, setting := range fast {
		if err := s.exec(ctx, `alter system set `+setting); err != nil {
			return err
		}
	}
	if err := s.exec(ctx, `select pg_reload_conf()`); err != nil {
		return err
	}
	config := s.sql.Config()
	config.MaxConns = copiers
	// The rows are made to fit each other: foreign keys need not be checked.
	config.ConnConfig.RuntimeParams["session_replication_role"] = "replica"
	db, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer db.Close()
	var copied []int
	rows, err := db.Query(ctx, `select chunk from gorgone.scale_copied`)
	if err != nil {
		return err
	}
	if copied, err = pgx.CollectRows(rows, pgx.RowTo[int]); err != nil {
		return err
	}
	done := make(map[int]bool, len(copied))
	for _, n := range copied {
		done[n] = true
	}
	p := pool.New().WithMaxGoroutines(copiers).WithContext(ctx).WithFirstError().WithCancelOnError()
	each := cmp.Or(s.chunk, copyTweets)
	for chunk := 0; chunk*each < s.tracked; chunk++ {
		if done[chunk] {
			continue
		}
		p.Go(func(ctx context.Context) error {
			if err := s.copyChunk(ctx, db, chunk, each); err != nil {
				return err
			}
			s.Log.Info().Int("tweets", min((chunk+1)*each, s.tracked)).Int("of", s.tracked).Msg("copied")
			return nil
		})
	}
	if err := p.Wait(); err != nil {
		return err
	}
	return s.exec(ctx, `drop table gorgone.scale_copied`, `alter system reset all`, `select pg_reload_conf()`)
}

// copyChunk copies some tweets with all that belongs to them, as one transaction.
func (s *size) copyChunk(ctx context.Context, db *pgxpool.Pool, chunk, each int) error {
	from, to := chunk*each, min((chunk+1)*each, s.tracked)
	vocabulary := words()
	return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		for _, c := range []struct {
			table   string
			columns []string
			rows    func(n int) [][]any
		}{
			{"twitter_tweets", tweetColumns(), func(n int) [][]any { return [][]any{s.tweetRow(n, vocabulary)} }},
			{"twitter_engagement_tracking", trackingColumns(), func(n int) [][]any { return [][]any{s.trackingRow(n)} }},
			{"twitter_engagement_history", historyColumns(), s.historyRows},
		} {
			if err := copyTo(ctx, tx, c.table, c.columns, from, to, c.rows); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `insert into gorgone.scale_copied values ($1)`, chunk)
		return err
	})
}

// copyTo copies the rows that belong to some tweets into a table.
func copyTo(ctx context.Context, tx pgx.Tx, table string, columns []string, from, to int, rows func(n int) [][]any) error {
	n, left := from, [][]any(nil)
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"public", table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		for len(left) == 0 {
			if n == to {
				return nil, nil
			}
			left = rows(n)
			n++
		}
		row := left[0]
		left = left[1:]
		return row, nil
	}))
	if err != nil {
		return fmt.Errorf("copy to %s: %w", table, err)
	}
	return nil
}

// finish builds the indexes, and leaves the database as one that has run for long.
func (s *size) finish(ctx context.Context) error {
	if err := s.exec(ctx, `alter system set maintenance_work_mem = '512MB'`, `select pg_reload_conf()`); err != nil {
		return err
	}
	if _, err := postgres.Migrate(ctx, s.server.URL()); err != nil {
		return err
	}
	if err := s.exec(ctx, `alter system reset all`, `select pg_reload_conf()`,
		`vacuum analyze public.twitter_tweets`, `vacuum analyze public.twitter_engagement_tracking`,
		`vacuum analyze public.twitter_engagement_history`, `checkpoint`); err != nil {
		return err
	}
	r := s.result
	return s.sql.QueryRow(ctx, `
		select (select count(*) from public.twitter_engagement_tracking where next_update_at is not null),
			(select count(*) from public.twitter_engagement_tracking where next_update_at <= $1),
			(select sum(greatest(reltuples, 0))::int8 from pg_class where relnamespace = 'gorgone'::regnamespace and relname like 'history\_2%' and relkind = 'r'),
			pg_database_size(current_database())`, s.now).Scan(&r.Live, &r.Due, &r.Points, &r.DatabaseBytes)
}

func uuidOf(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// appendCounts appends counts in the order of [engagement.Counter].
func appendCounts(row []any, c [engagement.NumCounters]int32) []any {
	for _, n := range c {
		row = append(row, n)
	}
	return row
}
