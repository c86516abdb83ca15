package postgres_test

import (
	"net/url"
	"strings"
	"testing"

	"gorgone/internal/postgres/pgtest"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// TestTriggersThatRunWithOurRights: a trigger of another owner's function is named, unless it
// runs with that owner's rights.
func TestTriggersThatRunWithOurRights(t *testing.T) {
	t.Parallel()
	address := pgtest.NewDatabase(t)
	raw := storetest.ConnectRaw(t, address)
	exec := func(sql string) {
		if _, err := raw.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	exec(`create role of_triggers login password 'p' bypassrls;
		grant usage on schema public, gorgone to of_triggers; grant all on all tables in schema public, gorgone to of_triggers;
		create function public.audit() returns trigger language plpgsql as $$ begin return null; end $$;
		create trigger audit after update on public.twitter_tweets for each row execute function public.audit()`)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("of_triggers", "p")
	db := storetest.Connect(t, postgres.Config{URL: u.String(), ExecMode: postgres.ExecPrepared, MaxConns: 1})
	found := func() string {
		list, err := db.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if f.Check == "triggers" && f.OK {
				return f.Detail
			}
		}
		t.Fatalf("not checked, or a fault: %+v", list)
		return ""
	}
	if detail := found(); !strings.Contains(detail, "audit on twitter_tweets (function audit())") {
		t.Errorf("found %q", detail)
	}
	exec(`alter function public.audit() security definer`)
	if detail := found(); strings.Contains(detail, "audit") {
		t.Errorf("with its owner's rights: %q", detail)
	}
}
