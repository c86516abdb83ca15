package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Zone is a topic that tweets are collected for.
type Zone struct {
	ID       uuid.UUID
	Name     string
	ClientID uuid.UUID
	Active   bool
}

// ownClient is the client that zones made here belong to unless told otherwise.
// The id is an arbitrary constant, so that there is one such client a database.
const (
	ownClientID   = "6f726700-6e65-4000-8000-000000000001"
	ownClientName = "gorgone"
)

const selectZones = `select id, name, client_id, coalesce(is_active, true) from public.zones`

func scanZone(r pgx.CollectableRow) (z Zone, err error) {
	return z, r.Scan(&z.ID, &z.Name, &z.ClientID, &z.Active)
}

// Zones returns all zones by name.
func (s *Store) Zones(ctx context.Context) ([]Zone, error) {
	return s.zones(ctx, selectZones+` order by name, id`)
}

// Zone returns the zone with the id, or [ErrZoneNotFound].
func (s *Store) Zone(ctx context.Context, id uuid.UUID) (Zone, error) {
	zones, err := s.zones(ctx, selectZones+` where id = $1::uuid`, id)
	if err != nil {
		return Zone{}, err
	}
	if len(zones) == 0 {
		return Zone{}, fmt.Errorf("%w: %s", ErrZoneNotFound, id)
	}
	return zones[0], nil
}

func (s *Store) zones(ctx context.Context, sql string, args ...any) ([]Zone, error) {
	ctx, cancel := s.db.bounded(ctx)
	defer cancel()
	rows, err := s.db.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read zones: %w", err)
	}
	zones, err := pgx.CollectRows(rows, scanZone)
	if err != nil {
		return nil, fmt.Errorf("read zones: %w", err)
	}
	return zones, nil
}

// CreateZone creates an active zone and returns it. A zero ID is replaced by a
// new one, a zero ClientID by a client of our own, "gorgone". A zone that exists
// with the same id is returned as it is.
func (s *Store) CreateZone(ctx context.Context, zone Zone) (Zone, error) {
	if zone.Name == "" {
		return Zone{}, errors.New("create a zone: it needs a name")
	}
	if zone.ID == uuid.Nil {
		zone.ID = uuid.New()
	}
	own := zone.ClientID == uuid.Nil
	if own {
		zone.ClientID = uuid.MustParse(ownClientID)
	}
	var created []Zone
	err := s.db.transact(ctx, "create a zone", func(ctx context.Context, t *tx) error {
		created = nil
		now := s.clock.Now()
		b := t.group()
		if own {
			b.Queue(`insert into public.clients (id, name) values ($1::uuid, $2::text) on conflict do nothing`, zone.ClientID, ownClientName)
		}
		b.Queue(`
			insert into public.zones (id, name, client_id, is_active, created_at, updated_at)
			values ($1::uuid, $2::text, $3::uuid, true, $4::timestamptz, $4::timestamptz)
			on conflict (id) do nothing`, zone.ID, zone.Name, zone.ClientID, now)
		b.Queue(selectZones+` where id = $1::uuid`, zone.ID).Query(collect(&created, scanZone))
		return t.send(ctx, b)
	})
	switch {
	case hasCode(err, codeForeignKeyViolation):
		return Zone{}, fmt.Errorf("create a zone: there is no client %s", zone.ClientID)
	case err != nil:
		return Zone{}, err
	case len(created) == 0:
		return Zone{}, fmt.Errorf("create a zone: it was not kept: does row-level security hide it? (gorgone doctor tells)")
	}
	return created[0], nil
}
