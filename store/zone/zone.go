// Package zone finds and makes zones: topics that tweets are collected for.
package zone

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store/postgres"
)

// ErrNotFound is returned when a zone is named that does not exist.
var ErrNotFound = errors.New("zone not found")

// Zone is a topic that tweets are collected for.
type Zone struct {
	ID         uuid.UUID
	Name       string
	ClientID   uuid.UUID
	ClientName string // empty: there is no such client
	Active     bool
}

// ownClient is the client that zones made here belong to unless told otherwise.
// The id is an arbitrary constant, so that there is one such client a database.
const (
	ownClientID   = "6f726700-6e65-4000-8000-000000000001"
	ownClientName = "gorgone"
)

const selectZones = `select z.id, z.name, z.client_id, coalesce((select p.name from public.clients p where p.id = z.client_id), ''), ` +
	postgres.ActiveZone + ` from public.zones z`

func scanZone(r pgx.CollectableRow) (z Zone, err error) {
	return z, r.Scan(&z.ID, &z.Name, &z.ClientID, &z.ClientName, &z.Active)
}

// List returns all zones by name.
func List(ctx context.Context, db *postgres.DB) ([]Zone, error) {
	return readZones(ctx, db, selectZones+` order by z.name, z.id`)
}

// Find returns the zone with the id, or [ErrNotFound].
func Find(ctx context.Context, db *postgres.DB, id uuid.UUID) (Zone, error) {
	zones, err := readZones(ctx, db, selectZones+` where z.id = $1::uuid`, id)
	if err != nil {
		return Zone{}, err
	}
	if len(zones) == 0 {
		return Zone{}, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return zones[0], nil
}

func readZones(ctx context.Context, db *postgres.DB, sql string, args ...any) ([]Zone, error) {
	ctx, cancel := db.Bounded(ctx)
	defer cancel()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read zones: %w", err)
	}
	zones, err := pgx.CollectRows(rows, scanZone)
	if err != nil {
		return nil, fmt.Errorf("read zones: %w", err)
	}
	return zones, nil
}

// Create creates an active zone and returns it. A zero ID is replaced by a
// new one, a zero ClientID by a client of our own, "gorgone". A zone that exists
// with the same id is returned as it is.
func Create(ctx context.Context, db *postgres.DB, now time.Time, zone Zone) (Zone, error) {
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
	err := db.Transact(ctx, "create a zone", func(ctx context.Context, t *postgres.Tx) error {
		created = nil
		b := t.Group()
		if own {
			b.Queue(`insert into public.clients (id, name) values ($1::uuid, $2::text) on conflict do nothing`, zone.ClientID, ownClientName)
		}
		b.Queue(`
			insert into public.zones (id, name, client_id, is_active, created_at, updated_at)
			values ($1::uuid, $2::text, $3::uuid, true, $4::timestamptz, $4::timestamptz)
			on conflict (id) do nothing`, zone.ID, zone.Name, zone.ClientID, now)
		b.Queue(selectZones+` where z.id = $1::uuid`, zone.ID).Query(postgres.Collect(&created, scanZone))
		return t.Send(ctx, b)
	})
	switch {
	case postgres.HasCode(err, postgres.CodeForeignKeyViolation):
		return Zone{}, fmt.Errorf("create a zone: there is no client %s", zone.ClientID)
	case err != nil:
		return Zone{}, err
	case len(created) == 0:
		return Zone{}, fmt.Errorf("create a zone: it was not kept: does row-level security hide it? (gorgone doctor tells)")
	}
	return created[0], nil
}
