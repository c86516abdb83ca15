package access_test

import (
	"testing"

	"gorgone/internal/testkit"
	"gorgone/store/access"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// env is a database with what this package reads.
type env struct {
	*storetest.Env
	access *access.Store
}

func newEnv(tb testing.TB, mode postgres.ExecMode) *env {
	tb.Helper()
	e := storetest.New(tb, mode)
	return &env{Env: e, access: access.New(e.DB, e.Clock)}
}

// inEachMode runs a test with prepared statements and without.
func inEachMode(t *testing.T, test func(t *testing.T, e *env)) {
	t.Helper()
	storetest.InEachMode(t, func(t *testing.T, e *storetest.Env) {
		test(t, &env{Env: e, access: access.New(e.DB, e.Clock)})
	})
}
