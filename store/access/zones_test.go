package access_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/access"
	"gorgone/store/postgres"
)

// newClient creates a client with one zone and returns both.
func (e *env) newClient(tb testing.TB, active any) (client, zone uuid.UUID) {
	tb.Helper()
	client = uuid.New()
	e.Exec(tb, `insert into clients (id, name, is_active) values ($1, 'client', $2)`, client, active)
	z, err := e.CreateZone(tb.Context(), store.Zone{Name: "zone of a client", ClientID: client})
	if err != nil {
		tb.Fatal(err)
	}
	return client, z.ID
}

func (e *env) newUser(tb testing.TB, role, client any) uuid.UUID {
	tb.Helper()
	id := uuid.New()
	e.Exec(tb, `insert into profiles (id, role, client_id) values ($1, $2, $3)`, id, role, client)
	return id
}

func TestUserZones(t *testing.T) {
	t.Parallel()
	inEachMode(t, func(t *testing.T, e *env) {
		// A database that was adopted may lack the constraints of ours.
		e.Exec(t, `alter table profiles drop constraint profiles_role_check`)
		e.Exec(t, `alter table zones drop constraint zones_client_id_fkey`)
		e.Exec(t, `alter table profiles drop constraint profiles_client_id_fkey`)

		ours, own := e.newClient(t, true)
		theirs, foreign := e.newClient(t, nil) // null is active
		closed, _ := e.newClient(t, false)
		gone, orphan := e.newClient(t, true)
		e.Exec(t, `delete from clients where id = $1`, gone)
		_, idle := e.newClient(t, true)
		e.Exec(t, `update zones set is_active = false, client_id = $2 where id = $1`, idle, ours)
		_, unset := e.newClient(t, true)
		e.Exec(t, `update zones set is_active = null, client_id = $2 where id = $1`, unset, ours)

		all := []uuid.UUID{e.ZoneID, own, foreign, orphan, unset}
		for name, c := range map[string]struct {
			user uuid.UUID
			want []uuid.UUID
		}{
			"super admin":               {e.newUser(t, "super_admin", nil), all},
			"admin":                     {e.newUser(t, "admin", nil), all},
			"admin with a client":       {e.newUser(t, "admin", theirs), all},
			"operator":                  {e.newUser(t, "operator", ours), []uuid.UUID{own, unset}},
			"manager":                   {e.newUser(t, "manager", theirs), []uuid.UUID{foreign}},
			"of a closed client":        {e.newUser(t, "manager", closed), nil},
			"of a client that is not":   {e.newUser(t, "operator", gone), nil},
			"operator without a client": {e.newUser(t, "operator", nil), nil},
			"without a role":            {e.newUser(t, nil, ours), nil},
			"of an unknown role":        {e.newUser(t, "ADMIN", ours), nil},
			"without a profile":         {uuid.New(), nil},
			"zero":                      {uuid.Nil, nil},
		} {
			zones, err := e.access.UserZones(t.Context(), c.user)
			if err != nil {
				t.Fatal(err)
			}
			may := make(map[uuid.UUID]bool)
			for _, id := range c.want {
				may[id] = true
			}
			for _, z := range zones {
				if !may[z.ID] || !z.Active || z.Name == "" || z.Role == "" {
					t.Errorf("%s: zone %+v", name, z)
				}
			}
			if len(zones) != len(c.want) {
				t.Errorf("%s: %d zones, want %d", name, len(zones), len(c.want))
			}
			for _, id := range append(all, idle, uuid.New(), uuid.Nil) {
				z, err := e.access.UserZone(t.Context(), c.user, id)
				switch {
				case may[id] && (err != nil || z.ID != id):
					t.Errorf("%s: zone %s: %+v, %v", name, id, z, err)
				case !may[id] && !errors.Is(err, store.ErrZoneNotFound):
					t.Errorf("%s: zone %s: %+v, %v, want not found", name, id, z, err)
				}
			}
		}
	})
}

// In some databases the role is an enumeration.
func TestUserZoneAdopted(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	e.Exec(t, `create type user_role as enum ('super_admin', 'admin', 'operator', 'manager')`)
	e.Exec(t, `alter table profiles drop constraint profiles_role_check`)
	e.Exec(t, `alter table profiles alter role type user_role using role::user_role`)
	client, zone := e.newClient(t, true)
	for _, role := range access.Roles() {
		z, err := e.access.UserZone(t.Context(), e.newUser(t, string(role), client), zone)
		if err != nil || z.Role != role {
			t.Errorf("%s: %+v, %v", role, z, err)
		}
	}
}
