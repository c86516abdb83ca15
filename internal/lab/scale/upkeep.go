package scale

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sourcegraph/conc"

	"gorgone/store/history"
	"gorgone/store/postgres"
)

const (
	// pulseEvery is the time between two statements of a bystander.
	pulseEvery = 10 * time.Millisecond

	// pulseWait is how long a bystander may wait for a lock.
	pulseWait = "1s"
)

// measureRetention drops the oldest day.
func (s *size) measureRetention(ctx context.Context) error {
	db, err := s.database(ctx, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	var table string
	if err := s.sql.QueryRow(ctx, `select min(relname) from pg_class where relnamespace = 'gorgone'::regnamespace and relname like 'history\_2%' and relkind = 'r'`).Scan(&table); err != nil {
		return fmt.Errorf("find the oldest day: %w", err)
	}
	oldest, err := time.Parse("history_2006_01_02", table)
	if err != nil {
		return fmt.Errorf("find the oldest day: %w", err)
	}
	return s.besideOthers(ctx, "retention: drop a day", func(ctx context.Context) error {
		done, err := db.History.Retain(ctx, history.Retention{Chosen: true, Full: s.now.Sub(oldest.Add(24 * time.Hour))})
		if err == nil && done.Dropped != 1 {
			err = fmt.Errorf("one partition was to be dropped: %+v", done)
		}
		return err
	})
}

// measurePartition makes a partition, and migrates what needs no migration.
func (s *size) measurePartition(ctx context.Context) error {
	db, err := s.database(ctx, 0)
	if err != nil {
		return err
	}
	defer db.Close()
	later := s.now.Add(span) // beyond those that a dispatcher has made
	for made := 0; made == 0; later = later.Add(24 * time.Hour) {
		if err := s.besideOthers(ctx, "make a partition", func(ctx context.Context) (err error) {
			made, err = db.History.EnsurePartitions(ctx, later, later)
			return err
		}); err != nil {
			return err
		}
	}
	return s.besideOthers(ctx, "migrate, nothing to do", func(ctx context.Context) error {
		_, err := postgres.Migrate(ctx, s.server.URL())
		return err
	})
}

// disown gives the database the shape that the product's has before the engine comes: tables
// without its columns and indexes, and the history in one table, of its largest day.
func (s *size) disown(ctx context.Context) error {
	var day string
	err := s.sql.QueryRow(ctx, `
		select relname from pg_class where relnamespace = 'gorgone'::regnamespace and relkind = 'r' and relname like 'history\_2%'
		order by pg_relation_size(oid) desc limit 1`).Scan(&day)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // an earlier run did it
	}
	if err != nil {
		return err
	}
	var columns []string
	rows, err := s.sql.Query(ctx, `
		select attname from pg_attribute where attrelid = 'public.twitter_engagement_tracking'::regclass and attnum > 0 and not attisdropped
		and attname not in ('id', 'tweet_db_id', 'tier', 'last_updated_at', 'next_update_at', 'update_count', 'created_at')`)
	if err != nil {
		return err
	}
	if columns, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	table := pgx.Identifier{"public", day}.Sanitize()
	statements := []string{
		`alter table public.twitter_engagement_history detach partition ` + pgx.Identifier{"gorgone", day}.Sanitize(),
		`drop table public.twitter_engagement_history`,
		`alter table ` + pgx.Identifier{"gorgone", day}.Sanitize() + ` set schema public`,
		`alter table ` + table + ` rename to twitter_engagement_history`,
		`alter table public.twitter_engagement_history drop column provider, drop column provider_changed`,
		`drop schema gorgone cascade`,
		`do $$ declare i text; begin
			for i in select indexrelid::regclass::text from pg_index where not indisprimary and indrelid = 'public.twitter_engagement_history'::regclass
				or indexrelid::regclass::text like 'gorgone\_%' loop
				execute 'drop index ' || i;
			end loop;
		end $$`,
	}
	for _, c := range columns {
		statements = append(statements, `alter table public.twitter_engagement_tracking drop column `+pgx.Identifier{c}.Sanitize())
	}
	return pgx.BeginFunc(ctx, s.sql, func(tx pgx.Tx) error {
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("%.60s: %w", sql, err)
			}
		}
		return nil
	})
}

// measureAdoption has the engine adopt the database, beside a reader and a writer.
func (s *size) measureAdoption(ctx context.Context) error {
	return s.besideOthers(ctx, "adoption", func(ctx context.Context) error {
		_, err := postgres.Migrate(ctx, s.server.URL())
		return err
	})
}

// besideOthers does something once while a reader and a writer use the tables all the time,
// and records how long it took, how long these waited at most, and how often one waited
// longer for a lock than it may.
func (s *size) besideOthers(ctx context.Context, name string, do func(context.Context) error) error {
	reader, err := s.startPulse(ctx, s.readPulse())
	if err != nil {
		return err
	}
	writer, err := s.startPulse(ctx, s.writePulse())
	if err != nil {
		reader.stop(ctx)
		return err
	}
	began := time.Now()
	err = do(ctx)
	took := time.Since(began)
	reader.stop(ctx)
	writer.stop(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f := Figure{Name: name, Kind: Upkeep, Runs: 1}
	f.times([]time.Duration{took})
	s.result.add(f)
	for who, p := range map[string]*pulse{"reader": reader, "writer": writer} {
		if p.err != nil {
			return fmt.Errorf("the %s beside %s: %w", who, name, p.err)
		}
		s.result.add(Figure{Name: name + ": longest wait of a " + who, Kind: Upkeep, Unit: "ms", Value: float64(p.longest.Microseconds()) / 1000})
	}
	s.result.add(Figure{Name: name + ": statements blocked for 1 s", Kind: Upkeep, Unit: "statements", Value: float64(reader.blocked + writer.blocked)})
	return nil
}

// pulse is a bystander: it runs its statements in turn until it is stopped.
type pulse struct {
	conn *pgx.Conn
	end  context.CancelFunc
	wait conc.WaitGroup

	mu      sync.Mutex
	longest time.Duration
	blocked int // statements that waited for a lock for longer than they may
	err     error
}

func (s *size) startPulse(ctx context.Context, statements []string) (*pulse, error) {
	conn, err := pgx.Connect(ctx, s.server.URL())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, `set lock_timeout = '`+pulseWait+`'`); err != nil {
		_ = conn.Close(ctx)
		return nil, err
	}
	ctx, end := context.WithCancel(ctx)
	p := &pulse{conn: conn, end: end}
	p.wait.Go(func() {
		tick := time.NewTicker(pulseEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			began := time.Now()
			_, err := conn.Exec(ctx, statements[n%len(statements)], pgx.QueryExecModeSimpleProtocol)
			p.ran(ctx, time.Since(began), err)
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return p, nil
}

func (p *pulse) ran(ctx context.Context, took time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
	case postgres.HasCode(err, postgres.CodeLockNotAvailable):
		p.blocked++
	case err != nil:
		p.err = err
	}
	p.longest = max(p.longest, took)
}

func (p *pulse) stop(ctx context.Context) {
	p.end()
	p.wait.Wait()
	_ = p.conn.Close(context.WithoutCancel(ctx))
}

// readPulse are reads of the product's, of rows of the newest tweets.
func (s *size) readPulse() []string {
	t := s.tweet(s.tracked - 1)
	return []string{
		fmt.Sprintf(`select like_count from public.twitter_tweets where id = '%s'`, t.row),
		fmt.Sprintf(`select tier from public.twitter_engagement_tracking where tweet_db_id = '%s'`, t.row),
		fmt.Sprintf(`select count(*) from public.twitter_engagement_history where id = '%s' and snapshot_at > '%s'`, t.row, s.now.Format(time.RFC3339)),
	}
}

// writePulse are its writes.
func (s *size) writePulse() []string {
	t := s.tweet(s.tracked - 2)
	return []string{
		fmt.Sprintf(`update public.twitter_tweets set like_count = like_count + 1 where id = '%s'`, t.row),
		fmt.Sprintf(`update public.twitter_engagement_tracking set update_count = update_count + 1 where tweet_db_id = '%s'`, t.row),
		fmt.Sprintf(`insert into public.twitter_engagement_history (tweet_id, like_count, snapshot_at) values ('%s', 1, '%s')`, t.row, s.now.Format(time.RFC3339)),
	}
}
