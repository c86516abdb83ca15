package app_test

import (
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"gorgone/internal/app"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
)

// TestStartTellsWhoMayWriteRoles: where users may update their own profile, as a policy that
// is often copied lets them, every start says so, with the SQL that mends it.
func TestStartTellsWhoMayWriteRoles(t *testing.T) {
	t.Parallel()
	cfg, g, _ := configure(t, 1)
	sql := pgtest.Connect(t, g.URL)
	start := func() string {
		t.Helper()
		var log testkit.Log
		a, err := app.New(t.Context(), cfg, app.Options{Process: app.NewProcess("test", "v0", zerolog.New(&log)), Roles: []app.Role{app.Dispatcher}})
		testkit.Must(t, err)
		a.Close()
		return log.String()
	}
	for _, statement := range []string{
		`do $$ begin create role authenticated; exception when duplicate_object then null; end $$`,
		`grant all on public.profiles to authenticated`, // as Supabase does; no policy lets them
	} {
		_, err := sql.Exec(t.Context(), statement)
		testkit.Must(t, err)
	}
	if log := start(); strings.Contains(log, "exposed") {
		t.Errorf("nothing is exposed: %s", log)
	}
	_, err := sql.Exec(t.Context(), `create policy own on public.profiles for update to authenticated using (true)`)
	testkit.Must(t, err)
	if log := start(); !strings.Contains(log, "the database is exposed") || !strings.Contains(log, "authenticated may update client_id and role") ||
		!strings.Contains(log, "revoke insert, update on public.profiles from") {
		t.Errorf("the log does not say what to run: %s", log)
	}
}
