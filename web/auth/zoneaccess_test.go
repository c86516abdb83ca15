package auth_test

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"gorgone/store"
	"gorgone/store/access"
	"gorgone/web/auth"
)

// town is a database with two clients, a zone each, and a user of each role.
type town struct {
	*access.Store
	url          string
	own, foreign uuid.UUID // zones of the users' client and of another
	users        map[access.Role]auth.Principal
}

func newTown(t *testing.T) *town {
	t.Helper()
	db, url := openDatabase(t)
	st := store.New(db, wallClock{}, store.Options{})
	w := &town{Store: access.New(db, wallClock{}), url: url, users: make(map[access.Role]auth.Principal)}
	clients := [2]uuid.UUID{uuid.New(), uuid.New()}
	execSQL(t, url, `insert into clients (id, name) values ($1, 'ours'), ($2, 'theirs')`, clients[0], clients[1])
	for i, zone := range []*uuid.UUID{&w.own, &w.foreign} {
		z, err := st.CreateZone(t.Context(), store.Zone{Name: fmt.Sprintf("zone %d", i), ClientID: clients[i]})
		if err != nil {
			t.Fatal(err)
		}
		*zone = z.ID
	}
	for _, role := range access.Roles() {
		id := uuid.New()
		execSQL(t, url, `insert into profiles (id, role, client_id) values ($1, $2, $3)`, id, role, clients[0])
		w.users[role] = auth.Principal{Kind: auth.KindUser, Name: id.String(), UserID: id}
	}
	return w
}

func execSQL(t *testing.T, url, sql string, args ...any) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing is left to send
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func newAccess(t *testing.T, zones auth.ZoneReader, refreshers ...access.Role) *auth.ZoneAccess {
	t.Helper()
	a, err := auth.NewZoneAccess(zones, nil, refreshers)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestZoneAccessOfUsers(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	everybody := newAccess(t, w)
	managers := newAccess(t, w, access.RoleManager, access.RoleSuperAdmin)
	for role, user := range w.users {
		foreign := auth.ReasonForeignZone
		if role == access.RoleAdmin || role == access.RoleSuperAdmin {
			foreign = ""
		}
		refused := auth.ReasonScope
		if role == access.RoleManager || role == access.RoleSuperAdmin {
			refused = ""
		}
		for _, c := range []struct {
			access *auth.ZoneAccess
			zone   uuid.UUID
			scope  auth.Scope
			want   auth.Reason
		}{
			{everybody, w.own, auth.ScopeRead, ""},
			{everybody, w.own, auth.ScopeRefresh, ""},
			{everybody, w.own, auth.ScopeTrack, auth.ReasonScope},
			{everybody, w.own, auth.ScopeDispatch, auth.ReasonScope},
			{everybody, w.own, "delete", auth.ReasonScope},
			{everybody, w.foreign, auth.ScopeRead, foreign},
			{everybody, w.foreign, auth.ScopeRefresh, foreign},
			{everybody, uuid.New(), auth.ScopeRead, auth.ReasonForeignZone},
			{managers, w.own, auth.ScopeRead, ""},
			{managers, w.own, auth.ScopeRefresh, refused},
		} {
			if got, _ := auth.Refused(c.access.Check(t.Context(), user, c.zone, c.scope)); got != c.want {
				t.Errorf("%s may %s in zone %s: %q, want %q", role, c.scope, c.zone, got, c.want)
			}
		}

		zones, all, err := managers.Zones(t.Context(), user, auth.ScopeRefresh)
		want := map[access.Role]int{access.RoleManager: 1, access.RoleSuperAdmin: 2}[role]
		if err != nil || all || len(zones) != want {
			t.Errorf("%s may refresh in %v (all %t), %v, want %d zones", role, zones, all, err, want)
		}
	}
	stranger := auth.Principal{Kind: auth.KindUser, UserID: uuid.New()}
	wantReason(t, everybody.Check(t.Context(), stranger, w.own, auth.ScopeRead), auth.ReasonForeignZone)
	if zones, all, err := everybody.Zones(t.Context(), stranger, auth.ScopeRead); err != nil || all || len(zones) != 0 {
		t.Errorf("a stranger reads %v (all %t), %v", zones, all, err)
	}
}

// A change of what a user may do counts for the next request.
func TestZoneAccessFollowsChanges(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := newAccess(t, w)
	operator := w.users[access.RoleOperator]
	wantReason(t, a.Check(t.Context(), operator, w.own, auth.ScopeRead), "")
	execSQL(t, w.url, `update clients set is_active = false`)
	wantReason(t, a.Check(t.Context(), operator, w.own, auth.ScopeRead), auth.ReasonForeignZone)
}

func TestZoneAccessOfServices(t *testing.T) {
	t.Parallel()
	a := newAccess(t, nil) // not asked
	reader := auth.Principal{Kind: auth.KindService, Name: "reader", Scopes: []auth.Scope{auth.ScopeRead}}
	zone := uuid.New()
	wantReason(t, a.Check(t.Context(), reader, zone, auth.ScopeRead), "")
	wantReason(t, a.Check(t.Context(), reader, zone, auth.ScopeRefresh), auth.ReasonScope)
	wantReason(t, a.Check(t.Context(), auth.Principal{}, zone, auth.ScopeRead), auth.ReasonScope)
	if _, all, err := a.Zones(t.Context(), reader, auth.ScopeRead); err != nil || !all {
		t.Errorf("all zones: %t, %v", all, err)
	}
	_, all, err := a.Zones(t.Context(), reader, auth.ScopeRefresh)
	wantReason(t, err, auth.ReasonScope)
	if all {
		t.Error("all zones, and refused")
	}
}

// A database that is down is no answer: neither 403 nor 404.
func TestZoneAccessWithoutDatabase(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a := newAccess(t, w)
	u, err := url.Parse(w.url)
	if err != nil {
		t.Fatal(err)
	}
	name := u.Path[1:]
	u.Path = "/postgres"
	execSQL(t, u.String(), `alter database `+name+` allow_connections false`)
	execSQL(t, u.String(), `select pg_terminate_backend(pid) from pg_stat_activity where datname = $1`, name)

	for role, user := range w.users {
		err := a.Check(t.Context(), user, w.own, auth.ScopeRead)
		if reason, refused := auth.Refused(err); err == nil || refused || auth.Status(err) != 503 {
			t.Errorf("%s: %q, %v", role, reason, err)
		}
		_, all, err := a.Zones(t.Context(), user, auth.ScopeRead)
		if reason, refused := auth.Refused(err); err == nil || refused || all || auth.Status(err) != 503 {
			t.Errorf("%s: %q, %v", role, reason, err)
		}
	}
}

func TestZoneAccessConfigRefused(t *testing.T) {
	t.Parallel()
	if a, err := auth.NewZoneAccess(nil, nil, []access.Role{"root"}); err == nil || a != nil {
		t.Error("an unknown role is accepted")
	}
}

// TestZoneAccessOfReaders: a role that may not read may do nothing, in no zone.
func TestZoneAccessOfReaders(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	a, err := auth.NewZoneAccess(w, []access.Role{access.RoleAdmin, access.RoleManager}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for role, user := range w.users {
		admitted := role == access.RoleAdmin || role == access.RoleManager
		for _, scope := range []auth.Scope{auth.ScopeRead, auth.ScopeRefresh, auth.ScopeOperate} {
			zones, all, err := a.Zones(t.Context(), user, scope)
			want := admitted && (scope != auth.ScopeOperate || role == access.RoleAdmin)
			if err != nil || all || (len(zones) > 0) != want {
				t.Errorf("%s of %s: %d zones, %v, want any: %t", scope, role, len(zones), err, want)
			}
		}
	}
	if _, err := auth.NewZoneAccess(nil, []access.Role{"root"}, nil); err == nil {
		t.Error("a role that does not exist may read")
	}
}
