// Package population counts how the tweets of all zones stand, for all replicas: how many
// are live, missing and lately gone, and whether deletions are held because of it.
package population

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/store/postgres"
)

const (
	// maxAge is the engine time after which the population is counted again.
	maxAge = 5 * time.Minute

	// minAge is the real time between two counts, for a clock that runs fast.
	minAge = 5 * time.Second

	// lostAge is the engine time after which a count that could not be renewed says
	// nothing any more.
	lostAge = time.Hour

	// lockKey is the key of the lock that lets one replica count at a time. It is an
	// arbitrary number ("count" in hexadecimal ASCII).
	lockKey = 0x636f756e74
)

// State is how the tweets of all zones stand.
type State struct {
	engagement.Population

	HeldSince time.Time // deletions are held since then; zero: they are not
	At        time.Time // engine time of the count; zero: there was none
}

// Held reports whether no tweet may be called gone on the usual evidence.
func (p State) Held() bool { return !p.HeldSince.IsZero() }

// Clock tells engine time.
type Clock interface {
	Now() time.Time
	Engine(d time.Duration) time.Duration
}

// Counter reads the count that all replicas share, and renews it. It is safe for
// concurrent use.
type Counter struct {
	db    *postgres.DB
	clock Clock

	reading sync.Mutex // one reads at a time

	mu   sync.RWMutex
	last State
	lost bool // it could not be read
}

// New returns a Counter on db.
func New(db *postgres.DB, clock Clock) *Counter { return &Counter{db: db, clock: clock} }

// Read returns how the tweets stand, by a count that all replicas share and that
// is at most a few minutes old. A reader that finds it older counts again.
func (c *Counter) Read(ctx context.Context) (State, error) {
	if last, current := c.known(); current {
		return last, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	if last, current := c.known(); current { // another has read it meanwhile
		return last, nil
	}
	p, err := c.read(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost = err != nil; c.lost {
		return State{}, err
	}
	c.last = p
	return p, nil
}

func (c *Counter) known() (last State, current bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.last, !c.lost && c.isCurrent(c.last.At, c.clock.Now())
}

func (c *Counter) isCurrent(counted, now time.Time) bool {
	age := now.Sub(counted)
	return age >= -maxAge && age < max(maxAge, c.clock.Engine(minAge))
}

// Held reports whether deletions are held, by the last count. They are when that is too
// old or could not be read. It reads no database.
func (c *Counter) Held() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	unknown := c.lost || c.clock.Now().Sub(c.last.At).Abs() > lostAge
	return unknown || c.last.Held()
}

const (
	selectPopulation = `
		select coalesce((select max(p.live) from gorgone.population p where p.hour > $1::timestamptz - $2::interval), 0),
			l.missing, l.gone, l.held_since, l.measured_at
		from gorgone.population l where l.measured_at <= $1::timestamptz + $3::interval order by l.measured_at desc limit 1`

	// By the index of what is due, and by that of what is gone. A tweet that was called gone
	// within the window has its first check a known time after that.
	countPopulation = `
		select count(*), count(*) filter (where k.misses > 0 and k.gone_reason is null),
			(select count(*) from public.twitter_engagement_tracking g
				where g.gone_reason is not null and g.last_missed_at > $1::timestamptz - $2::interval
				and g.retry_at > $1::timestamptz + $3::interval - $2::interval and g.retry_at <= $1::timestamptz + $3::interval)
		from public.twitter_engagement_tracking k where k.next_update_at is not null`

	insertPopulation = `
		insert into gorgone.population as p (hour, live, missing, gone, held_since, measured_at)
		values (date_trunc('hour', $1::timestamptz, 'UTC'), $2::int8, $3::int8, $4::int8, $5::timestamptz, $1::timestamptz)
		on conflict (hour) do update set live = greatest(p.live, $2::int8), missing = $3::int8, gone = $4::int8,
			held_since = $5::timestamptz, measured_at = $1::timestamptz`

	// What a clock ahead of its time has counted goes too.
	prunePopulation = `delete from gorgone.population where hour < $1::timestamptz - $2::interval or measured_at > $1::timestamptz + $3::interval`
)

// read reads the shared count, and counts again when that is too old and no
// other replica does so.
func (c *Counter) read(ctx context.Context) (p State, err error) {
	err = c.db.Transact(ctx, "count the population", func(ctx context.Context, t *postgres.Tx) error {
		now := c.clock.Now().UTC().Truncate(time.Microsecond)
		var free bool
		p = State{}
		b := t.Group()
		b.Queue(`select pg_try_advisory_xact_lock($1::int8)`, int64(lockKey)).QueryRow(func(r pgx.Row) error { return r.Scan(&free) })
		b.Queue(selectPopulation, now, engagement.PopulationMemory, maxAge).Query(p.scan)
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		switch {
		case c.isCurrent(p.At, now):
			return nil
		case free:
			return c.count(ctx, t, &p, now)
		case now.Sub(p.At).Abs() < lostAge:
			p.At = now // it is being counted by another replica
			return nil
		}
		return fmt.Errorf("the last count is of %s, and another replica has not finished the next", p.At)
	})
	return p, err
}

func (p *State) scan(rows pgx.Rows) error {
	var held *time.Time
	_, err := pgx.ForEachRow(rows, []any{&p.Live, &p.Missing, &p.Gone, &held, &p.At}, func() error {
		p.HeldSince = postgres.TimeOf(held)
		return nil
	})
	return err
}

// count counts how the tweets stand, and lets all replicas know.
func (c *Counter) count(ctx context.Context, t *postgres.Tx, p *State, now time.Time) error {
	var live int
	b := t.Group()
	postgres.PlanByPage(b)
	b.Queue(countPopulation, now, engagement.GoneWindow, engagement.FirstRecheck).QueryRow(func(r pgx.Row) error {
		return r.Scan(&live, &p.Missing, &p.Gone)
	})
	if err := t.Send(ctx, b); err != nil {
		return err
	}
	p.Live, p.At = max(p.Live, live), now
	switch held := p.Population.Held(p.Held()); {
	case !held:
		p.HeldSince = time.Time{}
	case p.HeldSince.IsZero():
		p.HeldSince = now
	}
	b = t.Group()
	b.Queue(insertPopulation, now, live, p.Missing, p.Gone, postgres.NullTime(p.HeldSince))
	b.Queue(prunePopulation, now, 2*engagement.PopulationMemory, maxAge)
	return t.Send(ctx, b)
}
