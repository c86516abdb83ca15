package postgres_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sourcegraph/conc"

	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/store/postgres"
	"gorgone/store/storetest"
)

// TestAPoolerIsFoundByItsBehaviour runs the work through PgBouncer, of which only the url
// is known.
func TestAPoolerIsFoundByItsBehaviour(t *testing.T) {
	t.Parallel()
	direct := storetest.New(t, postgres.ExecPrepared)
	if direct.DB.Pooled() {
		t.Error("a pooler was found where there is none")
	}
	want := work(t, direct, direct.DB)
	for name, settings := range map[string][]string{
		"transactions":                  nil,
		"transactions of one server":    {"default_pool_size = 1"},
		"transactions, reset each":      {"server_reset_query_always = 1"},
		"sessions":                      {"pool_mode = session"},
		"with settings that it ignores": {"ignore_startup_parameters = extra_float_digits,search_path,options"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := storetest.New(t, postgres.ExecPrepared)
			db := storetest.Connect(t, postgres.Config{URL: storetest.PgBouncer(t, e.URL, settings...), MaxConns: 6})
			if !db.Pooled() {
				t.Error("not found")
			}
			if got := work(t, e, db); got != want {
				t.Errorf("through a pooler:\n%s\nwithout:\n%s", got, want)
			}
		})
	}
}

// TestManyAtOnceThroughAPooler has more connections than the pooler has to the server.
func TestManyAtOnceThroughAPooler(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	via := storetest.PgBouncer(t, e.URL, "default_pool_size = 2")
	var wg conc.WaitGroup
	for range 8 {
		db := storetest.Connect(t, postgres.Config{URL: via, MaxConns: 3})
		for range 3 {
			wg.Go(func() {
				for range 10 {
					if _, err := db.ReadClock(t.Context()); err != nil {
						t.Error(err)
					}
					if _, err := db.Check(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	wg.Wait()
}

func TestPoolersThatDoNotFit(t *testing.T) {
	t.Parallel()
	e := storetest.New(t, postgres.ExecPrepared)
	pooler := storetest.PgBouncer(t, e.URL)
	statements := storetest.PgBouncer(t, e.URL, "pool_mode = statement")
	sessions := storetest.PgBouncer(t, e.URL, "pool_mode = session")
	for name, tc := range map[string]struct {
		config postgres.Config
		want   []string // in the error; none: it works
	}{
		"told that there is none":    {postgres.Config{URL: pooler, ExecMode: postgres.ExecPrepared}, []string{"GORGONE_DB_POOLER", "auto"}},
		"told so, and sessions":      {postgres.Config{URL: sessions, ExecMode: postgres.ExecPrepared}, nil},
		"told that there is one":     {postgres.Config{URL: pooler, ExecMode: postgres.ExecPooled}, nil},
		"statements":                 {postgres.Config{URL: statements}, []string{"pool_mode", "transaction"}},
		"a parameter of the url":     {postgres.Config{URL: with(t, pooler, "search_path", "public")}, []string{"search_path", "ignore_startup_parameters"}},
		"options in the url":         {postgres.Config{URL: with(t, pooler, "options", "-c jit=off")}, []string{"options", "ignore_startup_parameters"}},
		"a parameter without pooler": {postgres.Config{URL: with(t, e.URL, "hush", "x")}, []string{"parameter that the database url sets"}},
	} {
		db, err := postgres.Connect(t.Context(), tc.config)
		if err == nil {
			db.Close()
		}
		if (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
		for _, want := range tc.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", name, err, want)
			}
		}
		if err != nil && (strings.Contains(err.Error(), "hush") || strings.Contains(err.Error(), "08P01")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMigrateThroughAPooler has several at once, and looks for what they leave behind.
func TestMigrateThroughAPooler(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string][]string{"transactions": nil, "sessions": {"pool_mode = session", "default_pool_size = 20"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := pgtest.NewEmptyDatabase(t)
			via := storetest.PgBouncer(t, direct, settings...)
			var wg conc.WaitGroup
			for range 3 {
				wg.Go(func() {
					if _, err := postgres.Migrate(t.Context(), via); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if steps, err := postgres.Migrate(t.Context(), direct); err != nil || len(steps) != 0 {
				t.Errorf("steps left: %v, %v", steps, err)
			}
			locks := 0
			conn := pgtest.Connect(t, direct)
			testkit.Must(t, conn.QueryRow(t.Context(), `select count(*) from pg_locks where locktype = 'advisory'
				and database = (select oid from pg_database where datname = current_database())`).Scan(&locks))
			if locks != 0 {
				t.Errorf("%d locks are left", locks)
			}
			if name == "sessions" {
				return
			}
			left := simple(t, via)
			for setting, want := range map[string]string{"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "0"} {
				got := ""
				testkit.Must(t, left.QueryRow(t.Context(), `select current_setting($1)`, setting).Scan(&got))
				if got != want {
					t.Errorf("%s is left at %s", setting, got)
				}
			}
			prepared := 0
			testkit.Must(t, left.QueryRow(t.Context(), `select count(*) from pg_prepared_statements`).Scan(&prepared))
			if prepared != 0 {
				t.Errorf("%d prepared statements are left", prepared)
			}
			db := storetest.Connect(t, postgres.Config{URL: via})
			findings, err := db.Check(t.Context())
			testkit.Must(t, err)
			for _, f := range findings {
				if !f.OK {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

// oddSettings change how values are read and written, how long things may take, and what
// unqualified names mean.
var oddSettings = []string{
	"DateStyle = 'German, DMY'", "IntervalStyle = sql_standard", "TimeZone = 'America/St_Johns'", "search_path = nowhere",
	"statement_timeout = '7s'", "lock_timeout = '6s'", "idle_in_transaction_session_timeout = '8s'",
	"bytea_output = escape", "standard_conforming_strings = off", "client_min_messages = error", "row_security = off",
	"jit = on", "jit_above_cost = 0", "extra_float_digits = -15", "array_nulls = off", "transform_null_equals = on", "client_encoding = latin1",
	"xmloption = document", "plan_cache_mode = force_generic_plan", "enable_indexscan = off", "quote_all_identifiers = on",
	"default_transaction_deferrable = on", "escape_string_warning = off", "lc_messages = 'C'", "lc_numeric = 'C'",
}

// TestSettingsOfTheRoleChangeNothing runs the work, and the migrations before it, on a
// database whose settings are as odd as they can be.
func TestSettingsOfTheRoleChangeNothing(t *testing.T) {
	t.Parallel()
	plain := storetest.New(t, postgres.ExecPrepared)
	want := work(t, plain, plain.DB)
	for name, pooler := range map[string]bool{"direct": false, "through a pooler": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			direct := pgtest.NewEmptyDatabase(t)
			conn := pgtest.Connect(t, direct)
			settings := oddSettings
			if !pooler {
				settings = append(slices.Clip(settings), "default_transaction_isolation = serializable")
			}
			for _, s := range settings {
				_, err := conn.Exec(t.Context(), `alter database `+databaseOf(t, direct)+` set `+s)
				testkit.Must(t, err)
			}
			via := direct
			if pooler {
				via = storetest.PgBouncer(t, direct)
			}
			_, err := postgres.Migrate(t.Context(), via)
			testkit.Must(t, err)
			e := storetest.Open(t, direct, postgres.ExecPrepared)
			db := storetest.Connect(t, postgres.Config{URL: via})
			if got := work(t, e, db); got != want {
				t.Errorf("with odd settings:\n%s\nwithout:\n%s", got, want)
			}
			for setting, want := range map[string]string{"statement_timeout": "30s", "lock_timeout": "0", "DateStyle": "ISO, MDY", "TimeZone": "UTC"} {
				got := ""
				testkit.Must(t, db.QueryRow(t.Context(), `select current_setting($1::text)`, setting).Scan(&got))
				if got != want {
					t.Errorf("%s is %s, want %s", setting, got, want)
				}
			}
		})
	}
}

// TestSettingsThatAreRefused checks that what cannot be set aside is named.
func TestSettingsThatAreRefused(t *testing.T) {
	t.Parallel()
	direct := pgtest.NewDatabase(t)
	conn := pgtest.Connect(t, direct)
	set := func(sql string) {
		t.Helper()
		_, err := conn.Exec(t.Context(), `alter database `+databaseOf(t, direct)+` `+sql)
		testkit.Must(t, err)
	}
	set(`set default_transaction_isolation = 'repeatable read'`)
	_, err := postgres.Connect(t.Context(), postgres.Config{URL: storetest.PgBouncer(t, direct)})
	if !errors.Is(err, postgres.ErrPooler) || !strings.Contains(err.Error(), "default_transaction_isolation") {
		t.Error(err)
	}
	storetest.Connect(t, postgres.Config{URL: direct})
	set(`reset default_transaction_isolation`)
	set(`set default_transaction_read_only = on`)
	for _, via := range []string{direct, storetest.PgBouncer(t, direct)} {
		db := storetest.Connect(t, postgres.Config{URL: via})
		err := db.Ping(t.Context())
		if !errors.Is(err, postgres.ErrReadOnly) || !strings.Contains(err.Error(), "default_transaction_read_only") {
			t.Error(err)
		}
	}
}
