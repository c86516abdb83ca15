package store

import (
	"context"

	"github.com/google/uuid"

	"gorgone/store/postgres"
	"gorgone/store/zone"
)

// Zone is a topic that tweets are collected for.
type Zone = zone.Zone

// Zones returns all zones by name.
func (s *Store) Zones(ctx context.Context) ([]Zone, error) { return zone.List(ctx, s.db) }

// Zone returns the zone with the id, or [ErrZoneNotFound].
func (s *Store) Zone(ctx context.Context, id uuid.UUID) (Zone, error) {
	return zone.Find(ctx, s.db, id)
}

// FindZone is [Store.Zone] without a store.
func FindZone(ctx context.Context, db *postgres.DB, id uuid.UUID) (Zone, error) {
	return zone.Find(ctx, db, id)
}

// CreateZone creates an active zone, see [zone.Create].
func (s *Store) CreateZone(ctx context.Context, z Zone) (Zone, error) {
	return zone.Create(ctx, s.db, s.clock.Now(), z)
}
