package worker_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"gorgone/internal/enginetest"
	"gorgone/internal/testkit"
)

// TestADatabaseThatLetsNoOneInLosesNothing: while answers are under way the database ends all
// connections and refuses new ones, in ways of its own. What was paid for is written when it
// lets the worker in again, once, and no tweet is blamed.
func TestADatabaseThatLetsNoOneInLosesNothing(t *testing.T) {
	t.Parallel()
	type step func(e *engine)
	access := func(rules string) (shut, open step) {
		var before []byte
		file := func(e *engine) (name string) {
			testkit.Must(e.t, e.sql.QueryRow(e.t.Context(), `show hba_file`).Scan(&name))
			return name
		}
		write := func(e *engine, text []byte) {
			testkit.Must(e.t, os.WriteFile(file(e), text, 0o600)) // its owner stays
			e.exec(`select pg_reload_conf()`)
		}
		return func(e *engine) {
				var err error
				before, err = os.ReadFile(file(e))
				testkit.Must(e.t, err)
				write(e, []byte("local all all trust\n"+rules+"\n"))
			}, func(e *engine) {
				write(e, before)
			}
	}
	rejected, admitted := access("host all all all reject")
	tls, plain := access("hostssl all all all trust")
	var taken []*pgx.Conn
	for name, tc := range map[string]struct{ shut, open step }{
		"rejected":     {rejected, admitted},
		"TLS required": {tls, plain},
		"all connections taken": {
			func(e *engine) { taken = e.takeConnections() },
			func(e *engine) {
				for _, conn := range taken {
					testkit.Must(e.t, conn.Close(e.t.Context()))
				}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 20, database: enginetest.StartPostgres(t).URL})
			e.track()
			w := e.worker(workerOptions{})
			e.dispatch()
			tc.shut(e)
			if name != "all connections taken" {
				e.endOthers()
			}
			e.run(w)
			poll(t, "the worker is not ready", func() bool { return w.Ready() != nil })
			t.Logf("not ready: %v", w.Ready())
			tc.open(e)
			e.eventually("tweets updated once", updatedOnce, 20)
			poll(t, "the worker is ready", func() bool { return w.Ready() == nil })
			e.eventually("tweets in the ledger", paid, 20)
			if s := e.double.Stats(); s.Returned != 20 {
				t.Errorf("%d tweets paid for, want 20", s.Returned)
			}
			if n := e.count(blamed); n != 0 {
				t.Errorf("%d tweets are blamed", n)
			}
			d, err := e.queue.Depth(t.Context())
			testkit.Must(t, err)
			if d.DeadLetters != 0 {
				t.Errorf("%d dead letters", d.DeadLetters)
			}
		})
	}
}

// takeConnections takes all connections that the database has. Others that it ends go on for a moment, and what they have
// had is taken too.
func (e *engine) takeConnections() (taken []*pgx.Conn) {
	e.t.Helper()
	config, err := pgx.ParseConfig(e.ground.URL)
	testkit.Must(e.t, err)
	config.RuntimeParams["application_name"] = "taker"
	poll(e.t, "all connections are taken", func() bool {
		e.exec(endOthers + ` and application_name <> 'taker'`)
		ended := e.count(`select count(*) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend' and application_name <> 'taker'`) == 0
		for {
			conn, err := pgx.ConnectConfig(e.t.Context(), config)
			if err != nil {
				return ended
			}
			taken = append(taken, conn)
		}
	})
	return taken
}

func (e *engine) exec(sql string) {
	e.t.Helper()
	_, err := e.sql.Exec(e.t.Context(), sql)
	testkit.Must(e.t, err)
}

// endOthers ends all other connections to the database.
func (e *engine) endOthers() {
	e.t.Helper()
	e.exec(endOthers)
}

const endOthers = `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'`
