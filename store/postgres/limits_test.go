package postgres_test

import (
	"testing"

	"gorgone/internal/postgres/pgtest"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

func TestDefaultConns(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]int{
		"postgres://a.ref:p@aws-0-eu-central-1.pooler.supabase.com:5432/postgres":      4, // three processes within 15 clients
		"postgres://a.ref:p@aws-0-eu-central-1.pooler.supabase.com/postgres":           4,
		"postgres://a.ref:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres":      12,
		"postgres://postgres:p@db.ref.supabase.co:5432/postgres":                       12,
		"postgres://a:p@pooler.supabase.com.example.org:5432/postgres":                 12,
		"host=aws-0-eu-central-1.pooler.supabase.com port=5432 user=a dbname=postgres": 4,
		"nonsense": 12,
	} {
		if got := postgres.DefaultConns(url); got != want {
			t.Errorf("%s: %d, want %d", url, got, want)
		}
	}
}

// TestRoom: others' connections count, limits of the role hold, and behind a pooler nothing is
// claimed to be known.
func TestRoom(t *testing.T) {
	t.Parallel()
	url := pgtest.NewDatabase(t)
	db := storetest.Connect(t, postgres.Config{URL: url, ExecMode: postgres.ExecPrepared, MaxConns: 1})
	room := func(db *postgres.DB) int {
		n, _, err := db.Room(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := room(db); n < 1 {
		t.Errorf("room for %d", n)
	}
	raw := storetest.ConnectRaw(t, url)
	if _, err := raw.Exec(t.Context(), `do $$ begin execute format('alter database %I connection limit 9', current_database()); end $$`); err != nil {
		t.Fatal(err)
	}
	if n := room(db); n > 9 {
		t.Errorf("room for %d in a database that takes 9", n)
	}
	pooled := storetest.Connect(t, postgres.Config{URL: url, ExecMode: postgres.ExecPooled, MaxConns: 1})
	if n := room(pooled); n != 0 {
		t.Errorf("room for %d behind a pooler", n)
	}
}
