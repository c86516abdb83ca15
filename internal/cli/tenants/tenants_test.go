package tenants_test

import (
	"testing"

	"github.com/google/uuid"

	"gorgone/internal/cli/tenants"
	"gorgone/store"
)

// TestNamesAndIDs finds zones and clients by either; what fits none, or two, is an error.
func TestNamesAndIDs(t *testing.T) {
	t.Parallel()
	acme, other, same := uuid.New(), uuid.New(), uuid.New()
	zones := []store.Zone{
		{ID: uuid.New(), Name: "Elections", ClientID: acme, ClientName: "ACME"},
		{ID: uuid.New(), Name: "Sport", ClientID: acme, ClientName: "ACME"},
		{ID: uuid.New(), Name: "Twin", ClientID: other, ClientName: "Same"},
		{ID: uuid.New(), Name: "Twin", ClientID: same, ClientName: "Same"},
	}
	for ref, want := range map[string]uuid.UUID{"Elections": zones[0].ID, zones[3].ID.String(): zones[3].ID, "Twin": uuid.Nil, "none": uuid.Nil} {
		if z, err := tenants.Zone(zones, ref); z.ID != want || (err == nil) != (want != uuid.Nil) {
			t.Errorf("zone %q: %v, %v", ref, z.ID, err)
		}
	}
	for ref, want := range map[string]uuid.UUID{"ACME": acme, same.String(): same, "Same": uuid.Nil, "none": uuid.Nil, "": uuid.Nil} {
		if id, err := tenants.Client(zones, ref); id != want || (err == nil) != (want != uuid.Nil) {
			t.Errorf("client %q: %v, %v", ref, id, err)
		}
	}
	if _, err := tenants.Client(nil, "ACME"); err == nil {
		t.Error("a client where there is none")
	}
}
