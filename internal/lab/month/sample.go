package month

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gorgone/internal/lab/proc"
)

// measure is what is sampled of a part of the system.
type measure struct{ part, what string }

// What is sampled. What is not among the rules is only shown.
const (
	memoryMiB  = "memory, MiB"
	heapMiB    = "heap, MiB"
	openFiles  = "open files"
	goroutines = "goroutines"
	bytesMiB   = "size, MiB"
	rowCount   = "rows"
	deadShare  = "dead, %"
	messages   = "messages"
	backends   = "backends"
	backendMiB = "private memory of a backend, MiB"
	wholeReads = "read as a whole, times a day"
	blocks     = "blocks read a look-up"
	lookedUp   = "look-ups a real second"
	overdue    = "due and waiting"
	writtenMiB = "database, MiB"
	storeMiB   = "store, MiB"
)

// slacks are how much what is judged may grow over the time that is judged, even if that is
// more than a tenth. What is not in it is not judged by itself.
var slacks = map[string]float64{
	memoryMiB: 64, heapMiB: 32, openFiles: 10, goroutines: 20, bytesMiB: 1, deadShare: 10,
	backends: 4, backendMiB: 4, wholeReads: 50, storeMiB: 8,
}

// sample is what was there at one moment.
type sample struct {
	at      time.Time // engine time
	elapsed time.Duration
	values  map[measure]float64

	ahead     int       // partitions for days to come
	oldest    time.Time // partition
	misplaced int       // points in the default partition
	fittedAt  time.Time // models; zero: never
	month     float64   // dollars spent in this month
}

func (s *sample) set(part, what string, value float64) { s.values[measure{part, what}] = value }

// counters are what only ever grows, of which the difference between two samples tells.
type counters struct {
	lookups int64
	blocks  int64
	whole   map[string]int64
	elapsed time.Duration
	at      time.Time
}

// take takes a sample.
func (r *run) take(ctx context.Context, began time.Time, last *counters) (sample, error) {
	s := sample{at: r.db.Clock.Now(), elapsed: time.Since(began), values: make(map[measure]float64)}
	for _, read := range []func(context.Context, *sample) error{
		r.readProcesses, r.readBackends, r.readStreams, r.readBoundaries,
		func(ctx context.Context, s *sample) error { return r.readTables(ctx, s, last) },
	} {
		if err := read(ctx, &s); err != nil {
			return s, err
		}
	}
	return s, nil
}

const mebibyte = 1 << 20

func (r *run) readProcesses(ctx context.Context, s *sample) error {
	for _, role := range r.roles {
		if u, ok := proc.UsageOf(role.PID()); ok {
			s.set(role.Name, memoryMiB, float64(u.Memory)/mebibyte)
			s.set(role.Name, openFiles, float64(u.Files))
		}
		monitor := r.monitors[role.Name]
		if monitor == "" {
			continue
		}
		page, err := proc.Fetch(ctx, askTimeout, monitor+"/metrics")
		if err != nil {
			return fmt.Errorf("read what the %s uses: %w", role.Name, err)
		}
		for line := range strings.Lines(string(page)) {
			var n float64
			if _, err := fmt.Sscanf(line, "go_goroutines %g", &n); err == nil {
				s.set(role.Name, goroutines, n)
			}
			if _, err := fmt.Sscanf(line, "go_memstats_heap_inuse_bytes %g", &n); err == nil {
				s.set(role.Name, heapMiB, n/mebibyte)
			}
		}
	}
	return nil
}

func (r *run) readBackends(ctx context.Context, s *sample) error {
	rows, err := r.sql.Query(ctx, `select pid from pg_stat_activity where backend_type = 'client backend' and application_name <> $1`, sampler)
	if err != nil {
		return fmt.Errorf("read the backends: %w", err)
	}
	defer rows.Close()
	n, private, files := 0, int64(0), 0
	for rows.Next() {
		var pid int
		if err := rows.Scan(&pid); err != nil {
			return fmt.Errorf("read the backends: %w", err)
		}
		if u, ok := proc.UsageOf(pid); ok {
			n, private, files = n+1, private+proc.PrivateMemory(pid), files+u.Files
		}
	}
	s.set("postgres", backends, float64(n))
	s.set("postgres", backendMiB, float64(private)/mebibyte/float64(max(n, 1)))
	s.set("postgres", openFiles+" a backend", float64(files)/float64(max(n, 1)))
	return rows.Err()
}

// readStreams reads the pages of NATS: buckets are streams, too.
func (r *run) readStreams(ctx context.Context, s *sample) error {
	page, err := proc.Fetch(ctx, askTimeout, r.natsPages+"/jsz?streams=true")
	if err != nil {
		return fmt.Errorf("read the streams: %w", err)
	}
	var js struct {
		Store    float64 `json:"storage"`
		Accounts []struct {
			Streams []struct {
				Name  string `json:"name"`
				State struct {
					Messages float64 `json:"messages"`
					Bytes    float64 `json:"bytes"`
				} `json:"state"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	if err := json.Unmarshal(page, &js); err != nil {
		return fmt.Errorf("read the streams: %w", err)
	}
	s.set("nats", storeMiB, js.Store/mebibyte)
	for _, account := range js.Accounts {
		for _, stream := range account.Streams {
			s.set("stream "+stream.Name, messages, stream.State.Messages)
			s.set("stream "+stream.Name, bytesMiB, stream.State.Bytes/mebibyte)
		}
	}
	return nil
}

// judgedRows is how many rows a table has whose share of dead ones says something: a round of
// autovacuum, which comes once in many seconds, may leave any share of a small one.
const judgedRows = 10_000

// readTables reads sizes, rows and dead tuples. All partitions of the history are one table.
func (r *run) readTables(ctx context.Context, s *sample, last *counters) error {
	rows, err := r.sql.Query(ctx, `
		select case when relname like 'history\_2%' or relname = 'history_default' or relname = 'twitter_engagement_history' then 'history'
			else relname::text end as part,
			sum(pg_total_relation_size(relid))::float8, sum(n_live_tup)::float8, sum(n_dead_tup)::float8, sum(seq_scan)::int8
		from pg_stat_user_tables where schemaname in ('public', 'gorgone') group by 1`)
	if err != nil {
		return fmt.Errorf("read the tables: %w", err)
	}
	defer rows.Close()
	now := counters{whole: make(map[string]int64), elapsed: s.elapsed, at: s.at, lookups: r.provider.Stats().Asked}
	days := s.at.Sub(last.at).Hours() / 24
	for rows.Next() {
		var part string
		var size, live, dead float64
		var whole int64
		if err := rows.Scan(&part, &size, &live, &dead, &whole); err != nil {
			return fmt.Errorf("read the tables: %w", err)
		}
		name := "table " + part
		s.set(name, bytesMiB, size/mebibyte)
		s.set(name, rowCount, live)
		if live+dead > judgedRows {
			s.set(name, deadShare, 100*dead/(live+dead))
		}
		now.whole[part] = whole
		if hot := part == "twitter_tweets" || part == "twitter_engagement_tracking"; hot && !last.at.IsZero() {
			s.set(name, wholeReads, float64(whole-last.whole[part])/days)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the tables: %w", err)
	}
	var size float64
	var waiting int
	if err := r.sql.QueryRow(ctx, `
		select pg_database_size(current_database())::float8, (select blks_hit + blks_read from pg_stat_database where datname = current_database()),
			(select count(*) from public.twitter_engagement_tracking where claim_id is null and greatest(next_update_at, retry_at) <= $1)`, s.at).
		Scan(&size, &now.blocks, &waiting); err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	s.set("database", writtenMiB, size/mebibyte)
	s.set("database", overdue, float64(waiting))
	if n := now.lookups - last.lookups; n > 0 && !last.at.IsZero() {
		s.set("database", blocks, float64(now.blocks-last.blocks)/float64(n))
		s.set("database", lookedUp, float64(n)/(now.elapsed-last.elapsed).Seconds())
	}
	*last = now
	return nil
}

// readBoundaries reads what days and months bring.
func (r *run) readBoundaries(ctx context.Context, s *sample) error {
	partitions, err := r.partitions(ctx)
	if err != nil {
		return err
	}
	for i, p := range partitions {
		if i == 0 {
			s.oldest = p.first
		}
		if p.first.After(s.at) {
			s.ahead++
		}
	}
	s.set("history", "partitions", float64(len(partitions)))
	var fitted *time.Time
	if err := r.sql.QueryRow(ctx, `select (select count(*) from gorgone.history_default), (select max(fitted_at) from gorgone.models)`).Scan(&s.misplaced, &fitted); err != nil {
		return fmt.Errorf("read the boundaries: %w", err)
	}
	if fitted != nil {
		s.fittedAt = *fitted
	}
	spent, err := r.db.Store.Spending(ctx)
	s.month = spent.Month + spent.RefreshMonth
	return err
}
