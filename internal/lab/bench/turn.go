package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// turn is what one contender did with its due tweets.
type turn struct {
	tweets  int
	took    time.Duration
	wal     int64   // bytes
	used    []used  // by Postgres and each of the contender's processes; the provider is left out
	mallocs float64 // objects that the worker allocated; 0 for others
}

// used is what one process used.
type used struct {
	process      string
	cpu          time.Duration
	bytes, trips int64 // exchanged with Postgres: bytes of both directions above TCP, and round trips
}

// meter reads what one process has used so far.
type meter struct {
	process string
	cpu     func() time.Duration
	wire    *wire // nil: it does not speak with Postgres
}

func (t turn) perSecond() float64 { return float64(t.tweets) / t.took.Seconds() }

// each is a sum over the processes of f, for a tweet.
func (t turn) each(f func(used) float64) float64 {
	var sum float64
	for _, u := range t.used {
		sum += f(u)
	}
	return sum / float64(t.tweets)
}

func (t turn) cpuPer100k() float64 {
	return 100_000 * t.each(func(u used) float64 { return u.cpu.Seconds() })
}

func (t turn) bytesEach() float64 { return t.each(func(u used) float64 { return float64(u.bytes) }) }

func (t turn) tripsEach() float64 { return t.each(func(u used) float64 { return float64(u.trips) }) }
func (t turn) walEach() float64   { return float64(t.wal) / float64(t.tweets) }

// of is the turn as if there were only one process.
func (t turn) of(process string) turn {
	t.used = slices.DeleteFunc(slices.Clone(t.used), func(u used) bool { return u.process != process })
	return t
}

// measured runs f as a turn: what happens meanwhile is measured. f returns how long the
// work itself took.
func (b *bench) measured(ctx context.Context, meters []meter, f func() (time.Duration, error)) (t turn, err error) {
	meters = append(meters, meter{process: "postgres", cpu: func() time.Duration { return cpuOfServer(b.postmaster) }})
	t.tweets, t.used = b.Tweets, make([]used, len(meters))
	read := func(sign int64) error {
		for i, m := range meters {
			u := &t.used[i]
			u.process = m.process
			u.cpu += time.Duration(sign) * m.cpu()
			if m.wire != nil {
				u.bytes += sign * m.wire.bytes.Load()
				u.trips += sign * m.wire.trips.Load()
			}
		}
		var lsn int64
		if err := b.sql.QueryRow(ctx, `select (pg_current_wal_insert_lsn() - '0/0')::bigint`).Scan(&lsn); err != nil {
			return fmt.Errorf("read the position in the log: %w", err)
		}
		t.wal += sign * lsn
		return nil
	}
	since := b.db.Clock.Now()
	if err := read(-1); err != nil {
		return t, err
	}
	if t.took, err = f(); err != nil {
		return t, err
	}
	if err := read(+1); err != nil {
		return t, err
	}
	return t, b.checkTurn(ctx, since)
}

// checkTurn returns an error unless each tweet was looked up in the turn that began at
// since, and exactly those have new counts that should have.
func (b *bench) checkTurn(ctx context.Context, since time.Time) error {
	const sql = `
		select count(*) filter (where k.last_updated_at >= $2), count(*) filter (where w.updated_at >= $2)
		from public.twitter_engagement_tracking k join public.twitter_tweets w on w.id = k.tweet_db_id where w.zone_id = $1`
	var looked, changed int
	if err := b.sql.QueryRow(ctx, sql, b.zone, since).Scan(&looked, &changed); err != nil {
		return fmt.Errorf("check a turn: %w", err)
	}
	want := 0
	for i := range b.Tweets {
		if !b.idle(i) {
			want++
		}
	}
	if looked != b.Tweets || (changed != want && !b.first) {
		return fmt.Errorf("in one turn %d of %d tweets were looked up, and %d have new counts instead of %d", looked, b.Tweets, changed, want)
	}
	b.first = false
	return nil
}

// idle reports whether a tweet, by its place, is one of those that never change.
func (b *bench) idle(i int) bool { return float64(i%100) < 100*b.Idle }

// engineTurn lets a dispatcher and a worker, each in a process of its own, look up all
// tweets that are due.
func (b *bench) engineTurn(ctx context.Context, r *results) (_ turn, err error) {
	if err := b.ready(ctx); err != nil {
		return turn{}, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	e, err := b.startEngine(ctx, fail, tiersOnce, true)
	if err != nil {
		return turn{}, err
	}
	defer func() { err = errors.Join(err, e.stop(r)) }()
	before, err := allocations(ctx, e.monitor)
	if err != nil {
		return turn{}, err
	}
	t, err := b.measured(ctx, []meter{
		{"worker", e.worker.cpu, &e.relays[0].wire},
		{"dispatcher", func() time.Duration {
			if e.dispatcher == nil {
				return 0
			}
			return e.dispatcher.cpu()
		}, &e.relays[1].wire},
		{"nats", b.nats.cpu, nil},
	}, func() (time.Duration, error) {
		// The worker is ready, the dispatcher finds what is due when it starts.
		if err := e.startDispatcher(ctx); err != nil {
			return 0, err
		}
		return b.allDone(ctx)
	})
	if err != nil {
		return turn{}, err
	}
	after, err := allocations(ctx, e.monitor)
	t.mallocs = after - before
	return t, err
}

// allDone waits until all batches are done, and returns how long that took from the
// first claim on.
func (b *bench) allDone(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Minute, errors.New("the engine did not look up what was due within 10 minutes"))
	defer cancel()
	const sql = `
		select coalesce(sum(found), 0), coalesce(sum(open_rows), 0), coalesce(extract(epoch from max(done_at) - min(claimed_at)), 0)::float8
		from gorgone.batches`
	for {
		var found, open int
		var took float64
		if err := b.sql.QueryRow(ctx, sql).Scan(&found, &open, &took); err != nil {
			return 0, fmt.Errorf("read the batches: %w", errors.Join(err, context.Cause(ctx)))
		}
		if found >= b.Tweets && open == 0 {
			return b.db.Clock.Real(time.Duration(took * float64(time.Second))), nil
		}
		if err := sleep(ctx, 25*time.Millisecond); err != nil {
			return 0, err
		}
	}
}
