package web_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/internal/enginetest"
	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/web"
)

// TestDatabaseOutage stops Postgres under a running server: whoever asks for what
// is in it hears 503, never that it does not exist or is forbidden. When Postgres
// is there again, so are the answers.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	db := enginetest.StartPostgres(t)
	e := newEngine(t, options{tweets: 3, workers: 1, database: db.URL})
	row, _ := e.row(0)
	_, operator := e.user("operator", true)
	_, admin := e.user("super_admin", false)
	_, stranger := e.user("operator", false)
	e.exec(`insert into twitter_rules (zone_id, tag, query, external_rule_id) values ($1, 'topic', 'q', 'r1')`, e.zone)
	stays := e.listen("", operator, "")

	const engagement, body = "/api/twitter/engagement/", `{"limit":1}`
	export := "/api/twitter/zones/" + e.zone.String() + "/export.csv"
	track := fmt.Sprintf(`{"zone_id":%q,"tweet_ids":["1981517640000000001"]}`, e.zone)
	push := `{"event_type":"tweet","rule_id":"r1","tweets":[{"id":"1981517640000000000","text":"one","createdAt":"Fri Oct 24 01:07:19 +0000 2025","likeCount":3,"retweetCount":0,"replyCount":0,"quoteCount":0}]}`
	requests := []struct {
		who, method, path, token, body string
		headers                        []string
		status                         int // while all is well
	}{
		{"a service", "POST", updatePath, e.service, body, nil, 200},
		{"a service with an id", "POST", updatePath, e.service, body, []string{"Upstash-Message-Id", "m"}, 200},
		{"QStash", "POST", updatePath, "", body, delivery(t, updatePath, body, "msg_1"), 200},
		{"a service", "GET", updatePath, e.service, "", nil, 200},
		{"an operator", "GET", updatePath, operator, "", nil, 200},
		{"a service", "POST", refreshPath(row) + "?force=true", e.service, "", nil, 200},
		{"an operator", "POST", refreshPath(row), operator, "", nil, 200},
		{"a stranger", "POST", refreshPath(row), stranger, "", nil, 404},
		{"a service", "GET", refreshPath(row), e.service, "", nil, 200},
		{"a service", "GET", refreshPath(row) + "/" + uuid.NewString(), e.service, "", nil, 404},
		{"an operator", "GET", engagement + row.String(), operator, "", nil, 200},
		{"an admin", "GET", engagement + row.String() + ".csv", admin, "", nil, 200},
		{"a stranger", "GET", engagement + row.String(), stranger, "", nil, 404},
		{"an admin", "GET", engagement + "top", admin, "", nil, 200},
		{"a service", "GET", engagement + "top", e.service, "", nil, 200},
		{"an operator", "GET", engagement + "events?zone=" + uuid.NewString(), operator, "", nil, 404},
		{"an admin", "GET", export, admin, "", nil, 200},
		{"a stranger", "GET", export, stranger, "", nil, 404},
		{"a service", "POST", "/api/twitter/tweets", e.service, track, nil, 200},
		{"the provider", "POST", "/api/webhooks/twitter", "", push, []string{"X-API-Key", webhookKey}, 200},
	}
	all := func(when string, want func(well int) int) {
		t.Helper()
		for _, r := range requests {
			a := e.do(r.method, r.path, r.token, r.body, r.headers...)
			if a.status != want(r.status) {
				t.Errorf("%s, %s: %s %s: status %d, want %d: %.300s", when, r.who, r.method, r.path, a.status, want(r.status), a.body)
			}
			if a.status == 503 && (a.code(t) != "unavailable" || a.header.Get("Retry-After") == "") {
				t.Errorf("%s, %s: %s %s: %v %.300s", when, r.who, r.method, r.path, a.header, a.body)
			}
		}
	}
	all("before", func(well int) int { return well })
	db.Stop()
	all("while it is unavailable", func(int) int { return 503 })
	testkit.Until(t, func() bool {
		a := e.do("GET", "/readyz", "", "")
		return a.status == 503 && strings.Contains(string(a.body), `"database":"failed"`)
	})
	e.ok(200, "GET", "/healthz", "", "")
	db.Start()
	testkit.Until(t, func() bool { return e.do("GET", "/readyz", "", "").status == 200 })
	all("after", func(well int) int { return well })

	// Who read events goes on to, and no password is in the log.
	e.publish(e.zone, "7")
	for ev := stays.next(); !strings.Contains(ev.data, `"tweet_id":"7"`); ev = stays.next() {
		if ev.kind == "end" {
			t.Fatal("the stream of events has ended")
		}
	}
	u, err := url.Parse(db.URL)
	testkit.Must(t, err)
	if password, _ := u.User.Password(); password == "" || strings.Contains(e.log.String(), password) {
		t.Error("the database's password is in the log")
	}
}

// TestQueueOutage stops NATS: what needs it is answered 503 and changes nothing,
// the rest is answered. When NATS is there again, so is everything, and those who
// read events hear that they have missed some.
func TestQueueOutage(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 10, workers: 1})
	row, _ := e.row(0)
	l := e.listen("", e.service, "")
	e.nats.Stop()
	testkit.Until(t, func() bool { return !e.conn.Connected() })
	for _, path := range []string{updatePath, refreshPath(row), refreshPath(row) + "?force=true"} {
		a := e.ok(503, "POST", path, e.service, "")
		if a.code(t) != "queue_away" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	e.ok(503, "POST", updatePath, "", "", delivery(t, updatePath, "", "msg_1")...)
	if n := e.count(`select count(*) from gorgone.refresh_requests`); n != 0 {
		t.Errorf("%d requests stay open", n)
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where claim_id is not null`); n != 0 {
		t.Errorf("%d rows were claimed without a place to publish", n)
	}
	if a := e.ok(503, "GET", "/readyz", "", ""); !strings.Contains(string(a.body), `"nats":"failed"`) {
		t.Errorf("%s", a.body)
	}
	for _, path := range []string{updatePath, refreshPath(row), "/api/twitter/engagement/top", "/api/twitter/engagement/" + row.String()} {
		e.ok(200, "GET", path, e.service, "")
	}
	e.nats.Resume()
	if ev := l.next(); ev.kind != "reset" {
		t.Errorf("%+v, want a reset", ev)
	}
	testkit.Until(t, func() bool { return e.do("POST", refreshPath(row), e.service, "").status == 200 })
	testkit.Until(t, func() bool { return e.do("GET", "/readyz", "", "").status == 200 })
	// QStash delivers again what was not taken.
	e.ok(200, "POST", updatePath, "", "", delivery(t, updatePath, "", "msg_1")...)
	e.publish(e.zone, "7")
	for ev := l.next(); !strings.Contains(ev.data, `"tweet_id":"7"`); ev = l.next() {
		if ev.kind == "end" {
			t.Fatal("the stream of events has ended")
		}
	}
}

// TestStreamWithoutLeader has a cluster of which one server is left: the connection
// stands, and no stream takes anything. A refresh is answered 503 and leaves no request
// open: it is closed, so that its message, should the stream have it after all, costs no call.
func TestStreamWithoutLeader(t *testing.T) {
	t.Parallel()
	cluster := natstest.StartCluster(t, 3)
	conn, err := queue.Connect(t.Context(), queue.Options{URL: cluster.URL(), Log: zerolog.Nop()})
	testkit.Must(t, err)
	t.Cleanup(conn.Close)
	q, err := queue.Open(t.Context(), conn, queue.Config{Prefix: "T", Replicas: 3, Memory: true})
	testkit.Must(t, err)
	e := newEngine(t, options{tweets: 1, parts: func(p *web.Parts) {
		p.Queue, p.Connection = q, conn
		p.Refreshes.(*refresh.Service).Queue = q
	}})
	row, _ := e.row(0)
	cluster.LoseQuorum(t, "T_REFRESH")
	testkit.Until(t, conn.Connected)
	for _, path := range []string{refreshPath(row), refreshPath(row) + "?force=true"} {
		a := e.ok(503, "POST", path, e.service, "")
		if a.code(t) != "queue_away" || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %s", path, a.body)
		}
	}
	if !conn.Connected() {
		t.Error("the last server is gone too: that is another test")
	}
	if n := e.count(`select count(*) from gorgone.refresh_requests where closed_at is null`); n != 0 {
		t.Errorf("%d requests stay open", n)
	}
}
