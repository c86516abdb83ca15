package app_test

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/internal/app"
	"gorgone/internal/config"
	"gorgone/internal/enginetest"
	"gorgone/internal/postgres"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/queue"
	pg "gorgone/store/postgres"
	"gorgone/twitter/fakeprovider"
	"gorgone/web/auth"
)

// TestComposeRole sets up a server as docker-compose.yml does, by the same file: the engine
// migrates its database and does all its work as a role that may do nothing else.
func TestComposeRole(t *testing.T) {
	t.Parallel()
	admin := newServer(t)
	const password = "0123456789abcdef"
	file := filepath.Join(t.TempDir(), "password")
	testkit.Must(t, os.WriteFile(file, []byte(password), 0o600))
	psql := exec.CommandContext(t.Context(), "psql", "-X", "-v", "ON_ERROR_STOP=1", "-d", admin, "-f", "../../deploy/postgres/role.sql")
	psql.Env = append(os.Environ(), "DATABASE_PASSWORD_FILE="+file)
	if out, err := psql.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	role := as(t, admin, "gorgone", password, "gorgone")
	_, err := pg.Migrate(t.Context(), role)
	testkit.Must(t, err)
	runAs(t, role, role)
	conn := pgtest.Connect(t, role)
	var powers bool
	testkit.Must(t, conn.QueryRow(t.Context(), `
		select rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls
			or exists (select from pg_auth_members m where m.member = r.oid)
		from pg_roles r where rolname = current_user`).Scan(&powers))
	if powers {
		t.Error("the role has powers that it does not need")
	}
	refused(t, conn, `create role another`, `create database another`, `copy (select 1) to program 'true'`,
		`select pg_read_file('/etc/passwd')`, `alter system set log_statement = 'all'`)
}

// TestLeastRole grants what docs/deploy.md says, word for word, to a role that owns nothing
// of the product's, and has the engine do all its work as that role.
func TestLeastRole(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/deploy.md")
	testkit.Must(t, err)
	_, rest, found := strings.Cut(string(page), "```sql\n")
	grants, _, ended := strings.Cut(rest, "```")
	if !found || !ended || strings.Contains(rest, "```sql\n") {
		t.Fatal("docs/deploy.md has no grants, or other SQL too")
	}
	owner := pgtest.NewDatabase(t)
	admin := pgtest.Connect(t, owner)
	_, err = admin.Exec(t.Context(), grants)
	testkit.Must(t, err)
	role := as(t, owner, "gorgone_engine", "PASSWORD", "")
	runAs(t, owner, role)
	refused(t, pgtest.Connect(t, role), `delete from public.zones`, `insert into public.clients (name) values ('x')`,
		`update public.profiles set role = 'super_admin'`, `delete from public.twitter_tweets`, `drop table public.twitter_tweets`,
		`alter table public.zones add column x int`, `create table public.x ()`, `create role another`)
	_, err = pg.Migrate(t.Context(), owner) // goes on as the owner
	testkit.Must(t, err)
}

// newServer starts a Postgres server as its image does: with the superuser postgres, and
// nothing else. It returns the address of that user.
func newServer(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gorgone-dbrole-")
	testkit.Must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	testkit.Must(t, os.Chmod(dir, 0o711)) // to be entered by the user that runs Postgres
	server, err := postgres.Start(t.Context(), postgres.Options{DataDir: dir, Unsafe: true})
	testkit.Must(t, err)
	t.Cleanup(func() { testkit.Must(t, server.Stop()) })
	exec := func(at, sql string) {
		conn, err := pgx.Connect(t.Context(), at)
		testkit.Must(t, err)
		_, err = conn.Exec(t.Context(), sql)
		testkit.Must(t, err)
		testkit.Must(t, conn.Close(t.Context()))
	}
	first := as(t, server.URL(), "", "", "postgres")
	exec(first, `create role boss superuser login password 'boss'`)
	boss := as(t, first, "boss", "boss", "")
	exec(boss, `drop database gorgone`)
	exec(boss, `alter role gorgone rename to postgres`)
	exec(boss, `alter role postgres password 'postgres'`)
	return as(t, first, "postgres", "postgres", "")
}

// as changes the user and the database of an address, where they are given.
func as(t *testing.T, address, user, password, database string) string {
	t.Helper()
	u, err := url.Parse(address)
	testkit.Must(t, err)
	if user != "" {
		u.User = url.UserPassword(user, password)
	}
	if database != "" {
		u.Path = "/" + database
	}
	return u.String()
}

// runAs has all roles work in a database as a role of it: look up what is due, track and
// refresh over HTTP, make partitions, send alerts.
func runAs(t *testing.T, owner, role string) {
	t.Helper()
	const tweets = 20
	cfg, err := config.Load()
	testkit.Must(t, err)
	g := enginetest.On(t, owner, queue.Config{Prefix: "ENG", Lease: 3 * time.Minute, Memory: true})
	double, address := g.FakeProvider(t, tweets, fakeprovider.Config{})
	cfg.Database.URL, cfg.Queue.URL, cfg.Queue.Memory = config.Secret(role), config.Secret(g.NATS.ClientURL()), true
	cfg.Provider.Key, cfg.Provider.URL, cfg.Provider.Rate = enginetest.ProviderKey, address, 50
	cfg.Web.Listen, cfg.Monitor.Listen, cfg.Dispatcher.Every = "127.0.0.1:0", "127.0.0.1:0", time.Second
	const token = "gorgone_0123456789012345678901234567890123456789"
	entry, err := auth.TokenEntry("test", auth.Scopes(), token)
	testkit.Must(t, err)
	a, err := app.New(t.Context(), cfg, app.Options{
		Process: process(), Roles: []app.Role{app.Dispatcher, app.Worker, app.Web}, Web: app.WebOptions{Tokens: []string{entry}},
	})
	testkit.Must(t, err)
	defer a.Close()
	findings, err := a.Database().DB.Check(t.Context())
	testkit.Must(t, err)
	for _, f := range findings {
		if !f.OK {
			t.Errorf("doctor: %+v", f)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		stop()
		testkit.Must(t, <-ended)
	}()
	list := enginetest.Tweets(double)
	call := func(path, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.WebURL()+path, strings.NewReader(body))
		testkit.Must(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Idempotency-Key", path)
		res, err := http.DefaultClient.Do(r)
		testkit.Must(t, err)
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s was answered %d", path, res.StatusCode)
		}
	}
	var ids []string
	for _, tw := range list {
		ids = append(ids, `{"tweet_id":"`+tw.TweetID+`"}`)
	}
	call("/api/twitter/tweets", `{"zone_id":"`+g.Zone.ID.String()+`","tweets":[`+strings.Join(ids, ",")+`]}`)
	reach(t, "all tweets are seen", func() bool { return a.Progress().Applied >= tweets })
	call("/api/twitter/tweets/"+list[0].TweetID+"/refresh", "")
	conn := pgtest.Connect(t, owner)
	reach(t, "there are partitions", func() (there bool) {
		testkit.Must(t, conn.QueryRow(t.Context(), `
			select count(*) > 2 from pg_inherits where inhparent = 'public.twitter_engagement_history'::regclass`).Scan(&there))
		return there
	})
}

// refused: each statement fails for want of rights.
func refused(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		_, err := conn.Exec(t.Context(), sql)
		if err == nil || !strings.Contains(err.Error(), "42501") && !strings.Contains(err.Error(), "must be owner") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
