package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sourcegraph/conc"

	"gorgone/internal/testkit"
	"gorgone/web"
)

// holdExports has exports wait, from before their first page on, until the test lets them
// go on.
func (e *engine) holdExports() (waiting func(n int), letGo func()) {
	e.t.Helper()
	tx, err := e.sql.Begin(e.t.Context())
	testkit.Must(e.t, err)
	_, err = tx.Exec(e.t.Context(), `lock table twitter_engagement_tracking in access exclusive mode`)
	testkit.Must(e.t, err)
	watch := e.watch()
	waiting = func(n int) {
		testkit.Until(e.t, func() (enough bool) {
			testkit.Must(e.t, watch.QueryRow(e.t.Context(), `select count(*) >= $1 from pg_stat_activity
				where datname = current_database() and wait_event_type = 'Lock' and query like '%k.snapshot_at is null or k.snapshot_at >=%'`, n).Scan(&enough))
			return enough
		})
	}
	return waiting, func() { testkit.Must(e.t, tx.Rollback(e.t.Context())) }
}

// watch is another connection: within a transaction pg_stat_activity stands still.
func (e *engine) watch() *pgx.Conn {
	e.t.Helper()
	conn, err := pgx.ConnectConfig(e.t.Context(), e.sql.Config())
	testkit.Must(e.t, err)
	e.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(e.t.Context())) })
	return conn
}

// TestExportsAreBounded: of a user, and of all users of a client, a few at once. Exports
// leave pages alone, and services have places of their own.
func TestExportsAreBounded(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3})
	path := "/api/twitter/zones/" + e.zone.String() + "/export.csv"
	_, first := e.user("operator", true)
	_, second := e.user("operator", true)
	_, third := e.user("manager", true)
	waiting, letGo := e.holdExports()
	answers := make(chan answer)
	export := func(token string) { go func() { answers <- e.do("GET", path, token, "") }() }
	begin := []string{first, first, second, second}
	for i, token := range begin {
		export(token)
		waiting(i + 1)
	}
	for token, of := range map[string]string{first: "user:", third: "client:" + e.client.String()} {
		a := e.ok(429, "GET", path, token, "")
		if a.code(t) != "limit" || a.header.Get("Retry-After") != "30" || !strings.Contains(string(a.body), "exports at once of "+of) {
			t.Errorf("%v: %s", a.header, a.body)
		}
	}
	e.ok(200, "GET", "/api/twitter/alerts", first, "")
	if a := e.ok(200, "HEAD", path, e.service, ""); !strings.Contains(a.header.Get("Content-Disposition"), e.zone.String()) {
		t.Errorf("HEAD, which reads nothing: %v", a.header)
	}
	export(e.service)
	waiting(len(begin) + 1)
	letGo()
	for range len(begin) + 1 {
		if a := <-answers; a.status != 200 || strings.Count(string(a.body), "\n") < 1 {
			t.Errorf("an export that was allowed: %d", a.status)
		}
	}
	e.ok(200, "GET", path, third, "")
}

// TestReadsOfThoseWhoLeft: whoever leaves before the answer has no more reads at once than
// others, and cuts no connection to the database.
func TestReadsOfThoseWhoLeft(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3})
	export := "/api/twitter/zones/" + e.zone.String() + "/export.csv"
	_, user := e.user("operator", true)
	waiting, letGo := e.holdExports()
	ctx, leave := context.WithCancel(t.Context())
	var leaving conc.WaitGroup
	for n := range 2 {
		leaving.Go(func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+export, nil)
			testkit.Must(t, err)
			r.Header.Set("Authorization", "Bearer "+user)
			if res, err := http.DefaultClient.Do(r); err == nil {
				res.Body.Close()
				t.Errorf("answered %d", res.StatusCode)
			}
		})
		waiting(n + 1)
	}
	watch := e.watch()
	connections := func() (sum int64) {
		testkit.Must(t, watch.QueryRow(t.Context(), `select coalesce(sum(pid), 0)::int8 from pg_stat_activity
			where wait_event_type = 'Lock' and datname = current_database()`).Scan(&sum))
		return sum
	}
	before := connections()
	leave()
	leaving.Wait()
	if a := e.ok(429, "GET", export, user, ""); a.code(t) != "limit" {
		t.Errorf("%s", a.body)
	}
	if after := connections(); before == 0 || after != before {
		t.Error("a connection was cut")
	}
	letGo()
	testkit.Until(t, func() bool { return e.do("GET", export, user, "").status == 200 }) // they have ended
}

// TestLongExport: one that takes too long is ended, and its caller is told what to ask for.
func TestLongExport(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3, config: func(c *web.Config) { c.ExportTime = time.Second }})
	_, letGo := e.holdExports()
	a := e.ok(503, "GET", "/api/twitter/zones/"+e.zone.String()+"/export.csv", e.service, "")
	letGo()
	if a.code(t) != "busy" || !strings.Contains(string(a.body), "a shorter period") || a.header.Get("Retry-After") == "" {
		t.Errorf("%v: %s", a.header, a.body)
	}
}

// TestLongReadsLeaveConnections: reads that take long do not take all connections, and those
// that the database ends say what to do.
func TestLongReadsLeaveConnections(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	row, _ := e.row(0)
	tx, err := e.sql.Begin(t.Context())
	testkit.Must(t, err)
	_, err = tx.Exec(t.Context(), `lock table gorgone.population in access exclusive mode`) // which only statistics read
	testkit.Must(t, err)
	watch := e.watch()
	const reads = 16 // as many as a service may have, and as there are connections
	answers := make(chan answer)
	for range reads {
		go func() { answers <- e.do("GET", "/api/twitter/engagement/update", e.service, "") }()
	}
	const waiting = `from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
	testkit.Until(t, func() (enough bool) {
		testkit.Must(t, watch.QueryRow(t.Context(), `select count(*) >= $1 `+waiting, reads/2).Scan(&enough))
		return enough
	})
	e.ok(200, "GET", "/api/twitter/tweets/"+row.String()+"/refresh", e.service, "")
	var cancelled int
	testkit.Must(t, watch.QueryRow(t.Context(), `select count(*) filter (where pg_cancel_backend(pid)) `+waiting).Scan(&cancelled))
	for range cancelled {
		if a := <-answers; a.status != 503 || a.code(t) != "busy" || !strings.Contains(string(a.body), "ask for less") || a.header.Get("Retry-After") == "" {
			t.Errorf("a read that was ended: %d %v %s", a.status, a.header, a.body)
		}
	}
	testkit.Must(t, tx.Rollback(t.Context()))
	for range reads - cancelled {
		if a := <-answers; a.status != 200 {
			t.Errorf("a read that waited: %d %s", a.status, a.body)
		}
	}
	if cancelled == 0 || cancelled == reads {
		t.Errorf("%d of %d reads had a connection", cancelled, reads)
	}
}
