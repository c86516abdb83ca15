package access

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/store/postgres"
)

// Role is what a user is, in profiles.
type Role string

// The roles.
const (
	RoleSuperAdmin Role = "super_admin" // all active zones
	RoleAdmin      Role = "admin"       // all active zones
	RoleOperator   Role = "operator"    // active zones of the user's client
	RoleManager    Role = "manager"     // the same
)

// Roles returns all roles there are.
func Roles() []Role { return []Role{RoleSuperAdmin, RoleAdmin, RoleOperator, RoleManager} }

// UserZone is a zone that a user may enter, and the role the user has in it.
type UserZone struct {
	store.Zone
	Role Role
}

// selectUserZones is everything there is to say about who may enter which zone.
// A zone must exist and be active, as its client must, for anybody. A user without a profile, a role that is not known, a user or a zone
// without a client, and a client that does not exist open nothing.
const selectUserZones = `
	select z.id, z.name, z.client_id, true, p.role::text
	from public.profiles p
	join public.zones z on p.role::text in ('super_admin', 'admin')
		or p.role::text in ('operator', 'manager') and z.client_id = p.client_id
			and exists (select from public.clients c where c.id = z.client_id)
	where p.id = $1::uuid and ` + postgres.ActiveZone

func scanUserZone(r pgx.CollectableRow) (z UserZone, err error) {
	return z, r.Scan(&z.ID, &z.Name, &z.ClientID, &z.Active, &z.Role)
}

// UserZones returns the zones that a user may enter, by name; none for a user who
// is not known.
func (s *Store) UserZones(ctx context.Context, user uuid.UUID) ([]UserZone, error) {
	return s.userZones(ctx, selectUserZones+` order by z.name, z.id`, user)
}

// UserZone returns a zone that a user may enter. It is [store.ErrZoneNotFound] when the
// user may not, or when there is no such zone; any other error means that this
// could not be found out.
func (s *Store) UserZone(ctx context.Context, user, zone uuid.UUID) (UserZone, error) {
	zones, err := s.userZones(ctx, selectUserZones+` and z.id = $2::uuid`, user, zone)
	if err != nil {
		return UserZone{}, err
	}
	if len(zones) == 0 {
		return UserZone{}, fmt.Errorf("%w: %s", store.ErrZoneNotFound, zone)
	}
	return zones[0], nil
}

func (s *Store) userZones(ctx context.Context, sql string, args ...any) ([]UserZone, error) {
	ctx, cancel := s.db.Bounded(ctx)
	defer cancel()
	rows, err := s.db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("read the zones of a user: %w", err)
	}
	zones, err := pgx.CollectRows(rows, scanUserZone)
	if err != nil {
		return nil, fmt.Errorf("read the zones of a user: %w", err)
	}
	return zones, nil
}
