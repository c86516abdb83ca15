// Package pause keeps what operators have paused: scheduled look-ups, refreshes, or
// both, in all processes.
package pause

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/store/postgres"
)

// Lane is a kind of look-ups that can be paused.
type Lane string

// The lanes.
const (
	Batches   Lane = "batches"   // scheduled look-ups
	Refreshes Lane = "refreshes" // look-ups that people ask for
)

// Lanes lists the lanes.
func Lanes() []Lane { return []Lane{Batches, Refreshes} }

// Pause is a stop set by an operator, for all replicas. It survives restarts.
type Pause struct {
	Lane   Lane      `json:"lane"`
	Until  time.Time `json:"until,omitzero"` // engine time; zero: until it is resumed
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"` // engine time at which it was set
}

// Store sets and reads pauses. It is safe for concurrent use.
type Store struct {
	db    *postgres.DB
	clock store.Clock
}

// New returns a Store on db.
func New(db *postgres.DB, clock store.Clock) *Store { return &Store{db: db, clock: clock} }

// String says what is paused, by whom and until when.
func (p Pause) String() string {
	until := "until they are resumed"
	if !p.Until.IsZero() {
		until = "until " + p.Until.Format(time.DateTime)
	}
	s := fmt.Sprintf("%s are paused by %s %s", p.Lane, p.By, until)
	if p.Reason != "" {
		s += ": " + p.Reason
	}
	return s
}

// Set pauses a lane. It replaces an earlier pause of the lane.
func (s *Store) Set(ctx context.Context, p Pause) error {
	const sql = `
		insert into gorgone.pauses (lane, until, reason, set_by, set_at)
		values ($1::text, $2::timestamptz, $3::text, $4::text, $5::timestamptz)
		on conflict (lane) do update set until = excluded.until, reason = excluded.reason, set_by = excluded.set_by, set_at = excluded.set_at`
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	if _, err := s.db.Exec(ctx, sql, string(p.Lane), postgres.NullTime(p.Until), p.Reason, p.By, s.clock.Now()); err != nil {
		return fmt.Errorf("pause %s: %w", p.Lane, err)
	}
	return nil
}

// Resume ends the pause of a lane. It reports whether there was one.
func (s *Store) Resume(ctx context.Context, lane Lane) (was bool, err error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	tag, err := s.db.Exec(ctx, `delete from gorgone.pauses where lane = $1::text and (until is null or until > $2::timestamptz)`, string(lane), s.clock.Now())
	if err != nil {
		return false, fmt.Errorf("resume %s: %w", lane, err)
	}
	return tag.RowsAffected() > 0, nil
}

// List returns the pauses in force.
func (s *Store) List(ctx context.Context) ([]Pause, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, `
		select lane, until, reason, set_by, set_at from gorgone.pauses
		where until is null or until > $1::timestamptz order by lane`, s.clock.Now())
	if err != nil {
		return nil, fmt.Errorf("read the pauses: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (p Pause, err error) {
		var until *time.Time
		err = r.Scan((*string)(&p.Lane), &until, &p.Reason, &p.By, &p.At)
		p.Until, p.At = postgres.TimeOf(until), p.At.UTC()
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the pauses: %w", err)
	}
	return list, nil
}

// readEvery is how often a process reads the pauses: the longest that a pause takes
// to have effect everywhere.
const readEvery = time.Second

// Watcher knows which lanes are paused. While the database is unavailable it keeps
// the last known state.
type Watcher struct {
	store *Store
	known atomic.Pointer[[]Pause]
}

// Watch reads the pauses in force. Call Run to follow them.
func (s *Store) Watch(ctx context.Context) (*Watcher, error) {
	w := &Watcher{store: s}
	return w, w.read(ctx)
}

func (w *Watcher) read(ctx context.Context) error {
	list, err := w.store.List(ctx)
	if err != nil {
		return err
	}
	w.known.Store(&list)
	return nil
}

// Run follows the pauses until ctx ends. It calls report with an error when they
// cannot be read, and with nil when they can be read again.
func (w *Watcher) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(readEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := w.read(ctx)
		if ctx.Err() != nil {
			return
		}
		if (err != nil) != failing {
			failing = err != nil
			report(err)
		}
	}
}

// Paused returns the pause of a lane, if one is in force.
func (w *Watcher) Paused(lane Lane) (Pause, bool) {
	now := w.store.clock.Now()
	for _, p := range *w.known.Load() {
		if p.Lane == lane && (p.Until.IsZero() || p.Until.After(now)) {
			return p, true
		}
	}
	return Pause{}, false
}
