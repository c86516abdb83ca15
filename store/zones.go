package store

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// Zone is a topic that tweets are collected for.
type Zone struct {
	ID       uuid.UUID
	Name     string
	ClientID uuid.UUID
	Active   bool
}

// Zones returns all zones by name.
func (s *Store) Zones(ctx context.Context) ([]Zone, error) {
	return nil, errors.ErrUnsupported
}

// Zone returns the zone with the id, or [ErrZoneNotFound].
func (s *Store) Zone(ctx context.Context, id uuid.UUID) (Zone, error) {
	return Zone{}, errors.ErrUnsupported
}

// CreateZone creates an active zone and returns it. A zero ID is replaced by a
// new one, a zero ClientID by a client of our own, "gorgone". A zone that exists
// with the same id is returned as it is.
func (s *Store) CreateZone(ctx context.Context, zone Zone) (Zone, error) {
	return Zone{}, errors.ErrUnsupported
}
