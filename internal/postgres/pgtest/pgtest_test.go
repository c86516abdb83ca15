package pgtest_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"gorgone/internal/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func TestDatabases(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		make func(testing.TB) string
		want bool
	}{{"migrated", pgtest.NewDatabase, true}, {"empty", pgtest.NewEmptyDatabase, false}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			first, second := tt.make(t), tt.make(t)
			if first == second {
				t.Error("two databases are one")
			}
			conn, err := pgx.Connect(t.Context(), first)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(t.Context()) //nolint:errcheck // a test's connection
			var migrated bool
			if err := conn.QueryRow(t.Context(), `select to_regclass('public.twitter_tweets') is not null`).Scan(&migrated); err != nil {
				t.Fatal(err)
			}
			if migrated != tt.want {
				t.Errorf("migrated: %v, want %v", migrated, tt.want)
			}
		})
	}
}
