package store

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// PauseLane is what people can pause.
type PauseLane string

// The lanes.
const (
	PauseBatches   PauseLane = "batches"   // what the schedule looks up
	PauseRefreshes PauseLane = "refreshes" // what people ask for
)

// PauseLanes lists the lanes.
func PauseLanes() []PauseLane { return []PauseLane{PauseBatches, PauseRefreshes} }

// Pause is a stop that somebody has set, for all replicas. It survives restarts of
// everything.
type Pause struct {
	Lane   PauseLane `json:"lane"`
	Until  time.Time `json:"until,omitzero"` // engine time; zero: until somebody resumes it
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	At     time.Time `json:"at"` // engine time at which it was set
}

// String says what is stopped and by whom.
func (p Pause) String() string {
	until := "until somebody resumes them"
	if !p.Until.IsZero() {
		until = "until " + p.Until.Format(time.DateTime)
	}
	s := fmt.Sprintf("%s are paused by %s %s", p.Lane, p.By, until)
	if p.Reason != "" {
		s += ": " + p.Reason
	}
	return s
}

// SetPause pauses a lane; a pause that stands is replaced.
func (s *Store) SetPause(ctx context.Context, p Pause) error {
	const sql = `
		insert into gorgone.pauses (lane, until, reason, set_by, set_at)
		values ($1::text, $2::timestamptz, $3::text, $4::text, $5::timestamptz)
		on conflict (lane) do update set until = excluded.until, reason = excluded.reason, set_by = excluded.set_by, set_at = excluded.set_at`
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	if _, err := s.db.pool.Exec(ctx, sql, string(p.Lane), nullTime(p.Until), p.Reason, p.By, s.clock.Now()); err != nil {
		return fmt.Errorf("pause %s: %w", p.Lane, err)
	}
	return nil
}

// Resume ends the pause of a lane. It reports whether there was one.
func (s *Store) Resume(ctx context.Context, lane PauseLane) (was bool, err error) {
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	tag, err := s.db.pool.Exec(ctx, `delete from gorgone.pauses where lane = $1::text and (until is null or until > $2::timestamptz)`, string(lane), s.clock.Now())
	if err != nil {
		return false, fmt.Errorf("resume %s: %w", lane, err)
	}
	return tag.RowsAffected() > 0, nil
}

// Pauses returns the pauses in force.
func (s *Store) Pauses(ctx context.Context) ([]Pause, error) {
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, `
		select lane, until, reason, set_by, set_at from gorgone.pauses
		where until is null or until > $1::timestamptz order by lane`, s.clock.Now())
	if err != nil {
		return nil, fmt.Errorf("read the pauses: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (p Pause, err error) {
		var until *time.Time
		err = r.Scan((*string)(&p.Lane), &until, &p.Reason, &p.By, &p.At)
		p.Until, p.At = timeOf(until), p.At.UTC()
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the pauses: %w", err)
	}
	return list, nil
}

// pausesReadEvery is how often a process looks whether something is paused: the
// longest that a pause takes to be heeded everywhere.
const pausesReadEvery = time.Second

// PauseWatch knows which lanes are paused. While the database is away it goes by
// what it knew last.
type PauseWatch struct {
	store *Store
	known atomic.Pointer[[]Pause]
}

// WatchPauses reads the pauses in force. Call Run to follow them.
func (s *Store) WatchPauses(ctx context.Context) (*PauseWatch, error) {
	w := &PauseWatch{store: s}
	return w, w.read(ctx)
}

func (w *PauseWatch) read(ctx context.Context) error {
	list, err := w.store.Pauses(ctx)
	if err != nil {
		return err
	}
	w.known.Store(&list)
	return nil
}

// Run follows the pauses until ctx ends. report is told when they cannot be read,
// and when they can again (nil).
func (w *PauseWatch) Run(ctx context.Context, report func(error)) {
	tick := time.NewTicker(pausesReadEvery)
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
func (w *PauseWatch) Paused(lane PauseLane) (Pause, bool) {
	now := w.store.clock.Now()
	for _, p := range *w.known.Load() {
		if p.Lane == lane && (p.Until.IsZero() || p.Until.After(now)) {
			return p, true
		}
	}
	return Pause{}, false
}
