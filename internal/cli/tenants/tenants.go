// Package tenants finds the zone or the client that a command names.
package tenants

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"gorgone/internal/failure"
	"gorgone/store"
)

// Zone returns the zone with an id or a name. An empty reference means the only one.
func Zone(zones []store.Zone, ref string) (store.Zone, error) {
	var found []store.Zone
	for _, z := range zones {
		if ref == "" || z.ID.String() == ref || z.Name == ref {
			found = append(found, z)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(zones) == 0:
		return store.Zone{}, failure.NotFoundf("there are no zones yet; create one with gorgone track --new-zone NAME")
	case len(found) == 0:
		return store.Zone{}, failure.NotFoundf("no zone %q; there are %s", ref, zoneNames(zones))
	default:
		return store.Zone{}, failure.Usagef("which zone? name one by its id: %s", zoneNames(found))
	}
}

func zoneNames(zones []store.Zone) string {
	names := make([]string, len(zones))
	for i, z := range zones {
		names[i] = named(z.Name, z.ID)
	}
	return some(names)
}

// Client returns the id of the client with an id, or of the one with zones and a name.
func Client(zones []store.Zone, ref string) (uuid.UUID, error) {
	if id, err := uuid.Parse(ref); err == nil {
		return id, nil
	}
	var found []uuid.UUID
	var all, same []string
	for _, z := range zones {
		name := named(z.ClientName, z.ClientID)
		if z.ClientName == "" || slices.Contains(all, name) {
			continue
		}
		all = append(all, name)
		if z.ClientName == ref {
			found, same = append(found, z.ClientID), append(same, name)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(all) == 0:
		return uuid.Nil, failure.NotFoundf("no client %q: no client has zones; name it by its id", ref)
	case len(found) == 0:
		return uuid.Nil, failure.NotFoundf("no client %q with zones; there are %s", ref, some(all))
	default:
		return uuid.Nil, failure.Usagef("which client? name one by its id: %s", some(same))
	}
}

func named(name string, id uuid.UUID) string { return fmt.Sprintf("%s (%s)", name, id) }

func some(names []string) string { return strings.Join(names[:min(len(names), 10)], ", ") }
