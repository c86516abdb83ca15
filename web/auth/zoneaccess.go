package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/access"
)

// ZoneReader reads which zones a user has access to. [store.Store] does.
type ZoneReader interface {
	// UserZone returns the zone, or an error that is store.ErrZoneNotFound when
	// the user has no access or it does not exist.
	UserZone(ctx context.Context, user, zone uuid.UUID) (access.UserZone, error)
	// UserZones returns all zones that the user has access to.
	UserZones(ctx context.Context, user uuid.UUID) ([]access.UserZone, error)
}

// ZoneAccess decides what a caller may do in a zone. It makes one query each time, so that
// a change takes effect at once.
//
// A user whose role is one of the readers may read in every zone that the user has access
// to (see [access.Store.UserZones]), and refresh there if the role is also one of the
// refreshers. Administrators who may read may operate. Users may neither dispatch nor
// track.
// Services may do what their scopes say, in every zone.
type ZoneAccess struct {
	zones      ZoneReader
	readers    []access.Role
	refreshers []access.Role
}

// NewZoneAccess returns a ZoneAccess. readers are the roles that may do anything at all,
// refreshers those of them that may refresh, which costs money; nil means all roles. An
// error has all faults.
func NewZoneAccess(zones ZoneReader, readers, refreshers []access.Role) (*ZoneAccess, error) {
	a := &ZoneAccess{zones: zones, readers: readers, refreshers: refreshers}
	var faults []error
	for _, roles := range []*[]access.Role{&a.readers, &a.refreshers} {
		if *roles == nil {
			*roles = access.Roles()
		}
		for i, role := range *roles {
			if !slices.Contains(access.Roles(), role) {
				faults = append(faults, fmt.Errorf("role %d is not one of %v", i+1, access.Roles()))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return a, nil
}

// Check returns nil if the caller has the scope in a zone. The refusal is
// [ReasonForeignZone] (404) if a user has no access to the zone or it does not exist, and
// [ReasonScope] (403) if the caller has access but lacks the scope. For a service it is
// not checked whether the zone exists.
func (a *ZoneAccess) Check(ctx context.Context, p Principal, zone uuid.UUID, scope Scope) error {
	if p.Kind != KindUser {
		if !p.Can(scope) {
			return refuse(ReasonScope)
		}
		return nil
	}
	z, err := a.zones.UserZone(ctx, p.UserID, zone)
	switch {
	case errors.Is(err, store.ErrZoneNotFound):
		return refuse(ReasonForeignZone)
	case err != nil:
		return fmt.Errorf("look up what the user may do: %w", err)
	case !a.may(z.Role, scope):
		return refuse(ReasonScope)
	}
	return nil
}

// Zones returns the zones in which the caller has the scope. all is true for a service,
// which has it in every zone; then zones is nil. A user who has it nowhere gets no zones
// and no error.
func (a *ZoneAccess) Zones(ctx context.Context, p Principal, scope Scope) (zones []store.Zone, all bool, err error) {
	if p.Kind != KindUser {
		if !p.Can(scope) {
			return nil, false, refuse(ReasonScope)
		}
		return nil, true, nil
	}
	entered, err := a.zones.UserZones(ctx, p.UserID)
	if err != nil {
		return nil, false, fmt.Errorf("look up what the user may do: %w", err)
	}
	for _, z := range entered {
		if a.may(z.Role, scope) {
			zones = append(zones, z.Zone)
		}
	}
	return zones, false, nil
}

// Tenant returns the client whose zones are all that a user may enter. It is zero for a
// user who may enter those of all clients, or none, and for other callers.
func (a *ZoneAccess) Tenant(ctx context.Context, p Principal) (uuid.UUID, error) {
	if p.Kind != KindUser {
		return uuid.Nil, nil
	}
	entered, err := a.zones.UserZones(ctx, p.UserID)
	if err != nil {
		return uuid.Nil, fmt.Errorf("look up what the user may do: %w", err)
	}
	for _, z := range entered {
		if z.Role == access.RoleOperator || z.Role == access.RoleManager {
			return z.ClientID, nil
		}
	}
	return uuid.Nil, nil
}

func (a *ZoneAccess) may(role access.Role, scope Scope) bool {
	if !slices.Contains(a.readers, role) {
		return false
	}
	switch scope {
	case ScopeRead:
		return true
	case ScopeRefresh:
		return slices.Contains(a.refreshers, role)
	case ScopeOperate:
		// Dead letters are of all zones, so a caller must see all zones.
		return role == access.RoleSuperAdmin || role == access.RoleAdmin
	case ScopeDispatch, ScopeTrack:
	}
	return false
}
