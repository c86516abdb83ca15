// Package trial tries the adaptive schedule beside the tiers: on a random half of the
// tweets that a zone gets in a week, for as many look-ups a tweet, and compares what both
// halves showed.
package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"gorgone/engagement"
	"gorgone/internal/simulate"
	"gorgone/store"
	"gorgone/store/history"
	"gorgone/store/postgres"
)

// How long a trial lasts, in engine time: figures are of tweets that are
// [store.TrialClosing] old.
const (
	DefaultLength = 7 * 24 * time.Hour
	MinLength     = 72 * time.Hour
	MaxLength     = 28 * 24 * time.Hour
)

var (
	// ErrRunning is returned for a second trial of a zone.
	ErrRunning = errors.New("a trial is running in this zone")

	// ErrAdaptive is returned for a zone that has no tiers to compare with.
	ErrAdaptive = errors.New("the zone is on the adaptive schedule already")
)

// Trial is the latest trial of a zone.
type Trial struct {
	Zone     uuid.UUID `json:"zone_id"`
	ZoneName string    `json:"zone_name"`
	Seed     string    `json:"-"`          // tells the halves, see [engagement.HalfOf]
	By       string    `json:"started_by"` // the person
	Forced   bool      `json:"forced"`     // without a gain in the zone's history

	StartsAt time.Time `json:"starts_at"` // engine time; tweets posted before take no part
	EndsAt   time.Time `json:"ends_at"`
	Stopped  bool      `json:"stopped"` // by hand, at EndsAt

	Price      float64   `json:"price"`  // what a look-up of the adaptive half must be worth now, in engagement-hours
	Report     *Report   `json:"report"` // nil: none yet
	ReportedAt time.Time `json:"reported_at,omitzero"`
}

// Running reports whether tweets are scheduled by it at a time.
func (t Trial) Running(now time.Time) bool { return now.Before(t.EndsAt) }

// Report is how a trial stands. Of more than 2,000 complete tweets of a half, as many are
// measured, at random.
type Report struct {
	Posted   HalfCount `json:"posted"`   // tweets that take part
	Complete HalfCount `json:"complete"` // of them, those older than [store.TrialClosing]

	simulate.Halves
}

// HalfCount counts the tweets of both halves.
type HalfCount struct {
	Tiers    int `json:"tiers"`
	Adaptive int `json:"adaptive"`
}

func (c *HalfCount) add(half engagement.Half, tweets int) {
	if half == engagement.TriedHalf {
		c.Adaptive += tweets
	} else {
		c.Tiers += tweets
	}
}

// Options are what trials go by.
type Options struct {
	Tiers    engagement.Policy // of the half that is not tried
	Schedule store.Schedule    // of zones that name none
	Dollars  float64           // what a look-up costs; 0: not known
}

// Store starts, stops and follows trials. It is safe for concurrent use.
type Store struct {
	db      *postgres.DB
	clock   store.Clock
	archive *history.Archive
	options Options
}

// New returns a Store on db.
func New(db *postgres.DB, clock store.Clock, archive *history.Archive, o Options) *Store {
	if o.Tiers == nil {
		o.Tiers = engagement.DefaultTierPolicy()
	}
	return &Store{db: db, clock: clock, archive: archive, options: o}
}

// Start is what a trial is begun with.
type Start struct {
	Zone   uuid.UUID
	Length time.Duration // from [MinLength] to [MaxLength]; 0: [DefaultLength]
	Price  float64       // to begin with; 0: [engagement.DefaultPrice]
	By     string
	Forced bool
}

// Start begins a trial, with the tweets that are posted from a moment later on, when every
// process knows of it. It replaces the zone's trial that has ended. The error wraps
// [ErrRunning], [ErrAdaptive] or [store.ErrZoneNotFound].
func (s *Store) Start(ctx context.Context, start Start) (Trial, error) {
	if start.Length == 0 {
		start.Length = DefaultLength
	}
	if start.Price == 0 {
		start.Price = engagement.DefaultPrice
	}
	if start.Length < MinLength || start.Length > MaxLength {
		return Trial{}, fmt.Errorf("start a trial: it lasts from %s to %s, not %s", MinLength, MaxLength, start.Length)
	}
	if _, err := store.FindZone(ctx, s.db, start.Zone); err != nil {
		return Trial{}, err
	}
	now := s.clock.Now()
	from := now.Add(s.clock.Engine(store.PoliciesKnown))
	err := s.db.Transact(ctx, "start a trial", func(ctx context.Context, t *postgres.Tx) error {
		var schedule string
		b := t.Group()
		b.Queue(`select coalesce(settings->>'schedule', '') from public.zones where id = $1::uuid for key share`, start.Zone).
			QueryRow(func(r pgx.Row) error { return r.Scan(&schedule) })
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		if schedule == "" {
			schedule = string(s.options.Schedule)
		}
		if schedule == string(store.ScheduleAdaptive) {
			return ErrAdaptive
		}
		var begun int64
		b = t.Group()
		b.Queue(`
			insert into gorgone.trials as k (zone_id, seed, started_by, forced, starts_at, ends_at, stopped, price, priced_at, lives, lookups)
			values ($1::uuid, $2::text, $3::text, $4::bool, $5::timestamptz, $6::timestamptz, false, $7::float8, $5::timestamptz, 0, 0)
			on conflict (zone_id) do update set
				seed = excluded.seed, started_by = excluded.started_by, forced = excluded.forced, starts_at = excluded.starts_at,
				ends_at = excluded.ends_at, stopped = false, price = excluded.price, priced_at = excluded.priced_at,
				lives = 0, lookups = 0, report = null, reported_at = null
			where k.ends_at <= $8::timestamptz`,
			start.Zone, uuid.NewString(), start.By, start.Forced, from, from.Add(start.Length), start.Price, now,
		).Exec(func(tag pgconn.CommandTag) error { begun = tag.RowsAffected(); return nil })
		if err := t.Send(ctx, b); err != nil {
			return err
		}
		if begun == 0 {
			return ErrRunning
		}
		return nil
	})
	if err != nil {
		return Trial{}, err
	}
	list, err := s.List(ctx, []uuid.UUID{start.Zone})
	if err != nil || len(list) == 0 {
		return Trial{}, errors.Join(err, errors.New("start a trial: it was not kept"))
	}
	return list[0], nil
}

// Stop ends the running trial of a zone now: all its tweets go on by the tiers. It reports
// whether there was one.
func (s *Store) Stop(ctx context.Context, zone uuid.UUID) (bool, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	tag, err := s.db.Exec(ctx, `update gorgone.trials set stopped = true, ends_at = greatest($2::timestamptz, starts_at) where zone_id = $1::uuid and ends_at > $2::timestamptz`,
		zone, s.clock.Now())
	if err != nil {
		return false, fmt.Errorf("stop a trial: %w", err)
	}
	return tag.RowsAffected() > 0, nil
}

// List returns the latest trial of each zone, or of some zones; the last one begun first.
func (s *Store) List(ctx context.Context, zones []uuid.UUID) ([]Trial, error) {
	const sql = `
		select k.zone_id, coalesce(z.name, ''), k.seed, k.started_by, k.forced, k.starts_at, k.ends_at, k.stopped, k.price, k.report, k.reported_at
		from gorgone.trials k left join public.zones z on z.id = k.zone_id
		where $1::uuid[] is null or k.zone_id = any($1::uuid[])
		order by k.starts_at desc, k.zone_id`
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, sql, zones)
	if err != nil {
		return nil, fmt.Errorf("read trials: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanTrial)
	if err != nil {
		return nil, fmt.Errorf("read trials: %w", err)
	}
	return list, nil
}

func scanTrial(r pgx.CollectableRow) (t Trial, err error) {
	var body []byte
	var reported *time.Time
	if err := r.Scan(&t.Zone, &t.ZoneName, &t.Seed, &t.By, &t.Forced, &t.StartsAt, &t.EndsAt, &t.Stopped, &t.Price, &body, &reported); err != nil {
		return t, err
	}
	t.StartsAt, t.EndsAt, t.ReportedAt = t.StartsAt.UTC(), t.EndsAt.UTC(), postgres.TimeOf(reported)
	if body != nil {
		if err := json.Unmarshal(body, &t.Report); err != nil {
			return t, fmt.Errorf("the report of the trial in zone %s: %w", t.Zone, err)
		}
	}
	return t, nil
}
