package auth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"gorgone/store"
)

// ZoneReader reads which zones a user may enter. [store.Store] is one.
type ZoneReader interface {
	// UserZone returns the zone, or an error that is store.ErrZoneNotFound when
	// the user may not enter it or it does not exist.
	UserZone(ctx context.Context, user, zone uuid.UUID) (store.UserZone, error)
	// UserZones returns all zones the user may enter.
	UserZones(ctx context.Context, user uuid.UUID) ([]store.UserZone, error)
}

// ZoneAccess decides what a caller may do in a zone. It asks the database each
// time, one query, so that a change counts at once.
//
// A user may read in every zone that may be entered at all (see
// [store.Store.UserZones]), and refresh there when the user's role is one of the
// refreshers. Administrators may operate. Users may neither dispatch nor track.
// Services may do what their scopes say, in every zone.
type ZoneAccess struct {
	zones      ZoneReader
	refreshers []store.Role
}

// NewZoneAccess returns a ZoneAccess. refreshers are the roles that may have a
// tweet looked up, which costs money; nil means all of them. All faults are returned
// at once.
func NewZoneAccess(zones ZoneReader, refreshers []store.Role) (*ZoneAccess, error) {
	if refreshers == nil {
		refreshers = store.Roles()
	}
	var faults []error
	for i, role := range refreshers {
		if !slices.Contains(store.Roles(), role) {
			faults = append(faults, fmt.Errorf("role %d that may refresh is not one of %v", i+1, store.Roles()))
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &ZoneAccess{zones: zones, refreshers: refreshers}, nil
}

// Check returns nil when the caller may do something in a zone. It is refused
// with [ReasonForeignZone] (404) when a user may not enter the zone or there is no
// such zone, and with [ReasonScope] (403) when the caller may enter but not do
// this. Whether the zone exists is not looked up for a service.
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

// Zones returns the zones in which the caller may do something. all is true for a
// service that may do it in every zone; then zones is nil. A user who may do it
// nowhere gets no zones and no error.
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

func (a *ZoneAccess) may(role store.Role, scope Scope) bool {
	switch scope {
	case ScopeRead:
		return true
	case ScopeRefresh:
		return slices.Contains(a.refreshers, role)
	case ScopeOperate:
		// Dead letters are of all zones, so whoever sees them must see all zones.
		return role == store.RoleSuperAdmin || role == store.RoleAdmin
	case ScopeDispatch, ScopeTrack:
	}
	return false
}
