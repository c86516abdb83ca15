// Package adopt_test follows docs/supabase.md on a database that was there before.
package adopt_test

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/internal/natsserver/natstest"
	"gorgone/internal/postgres/pgtest"
	"gorgone/internal/testkit"
	"gorgone/twitter/fakeprovider"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	page     = "../../docs/supabase.md"
	rolePage = "../../docs/deploy.md"
	roleHead = "## A database role with few rights"

	providerKey = "key-of-the-provider"
	speed       = 1440 // a day in a minute
	young       = 60   // tweets that the provider knows, of which half are tracked already
)

// TestPage follows the page word for word, and finds every old row as it was after a day of
// engine time.
func TestPage(t *testing.T) {
	t.Parallel()
	p := newProject(t)
	before := p.definitions()
	sh := p.startShell()
	prepared := false
	for _, b := range blocks(t, page, "") {
		text := p.fill(b.text)
		switch {
		case strings.Contains(text, "security definer"):
			p.createRole()
			p.own(text)
		case b.language == "sql":
			p.own(text)
		case strings.Contains(text, "migrate --check"):
			p.mend(sh, text)
		case strings.Contains(text, "gorgone dispatcher &"):
			p.speedUp()
			prepared = true
			sh.run(text)
		default:
			sh.run(text)
		}
	}
	if !prepared {
		t.Fatal("the page starts no roles")
	}
	p.waitForADay()
	sh.run("kill $(jobs -p); wait")
	p.unchanged(before)
}

// block is a block of code on a page.
type block struct{ language, text string }

// blocks returns the blocks of a page that are run, of one section if that is named.
func blocks(t *testing.T, file, section string) (list []block) {
	t.Helper()
	content, err := os.ReadFile(file)
	testkit.Must(t, err)
	text := string(content)
	if section != "" {
		_, rest, found := strings.Cut(text, section+"\n")
		if !found {
			t.Fatalf("%s has no section %q", file, section)
		}
		text, _, _ = strings.Cut(rest, "\n## ")
	}
	for _, m := range regexp.MustCompile("(?s)```(sh|sql)\n(.*?)```").FindAllStringSubmatch(text, -1) {
		list = append(list, block{m[1], m[2]})
	}
	if len(list) == 0 {
		t.Fatalf("%s %s: nothing to run", file, section)
	}
	return list
}

// project is a database as project.sql builds it, and what stands around it.
type project struct {
	t     *testing.T
	admin *pgx.Conn // a superuser
	owner *pgx.Conn
	url   *url.URL
	nats  string
	api   string
	clock sync.Mutex
	began time.Time // from when on time runs faster; zero: not yet
	start time.Time
}

func newProject(t *testing.T) *project {
	t.Helper()
	address, err := url.Parse(pgtest.NewEmptyDatabase(t))
	testkit.Must(t, err)
	p := &project{t: t, url: address, admin: pgtest.Connect(t, address.String()), nats: natstest.Start(t).ClientURL()}
	p.exec(`create role anon; create role authenticated;
		create role project_owner login createrole password 'owner';
		alter schema public owner to project_owner`)
	p.exec(fmt.Sprintf(`grant create on database %s to project_owner`, pgx.Identifier{strings.TrimPrefix(address.Path, "/")}.Sanitize()))
	p.owner = pgtest.Connect(t, p.as("project_owner", "owner"))
	sql, err := os.ReadFile("project.sql")
	testkit.Must(t, err)
	_, err = p.owner.Exec(t.Context(), string(sql))
	testkit.Must(t, err)
	p.start = time.Now()
	population, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: young, Seed: 7, Start: p.start.Add(-2 * time.Hour), Spread: 2 * time.Hour})
	testkit.Must(t, err)
	n := 0
	for tweet := range population.All() {
		p.own(`insert into twitter_tweets (zone_id, tweet_id, text, twitter_created_at) values ('a0000000-0000-0000-0000-000000000001', $1, 'young', $2)`, tweet.ID, tweet.CreatedAt)
		if n++; n%2 == 0 {
			p.own(`insert into twitter_engagement_tracking (tweet_db_id, tier, next_update_at, last_updated_at) select id, 'ultra_hot', now(), null from twitter_tweets where tweet_id = $1`, tweet.ID)
		}
	}
	provider, err := fakeprovider.NewServer(fakeprovider.Config{Population: population, Now: p.now, Key: providerKey})
	testkit.Must(t, err)
	t.Cleanup(provider.Close)
	p.api, err = provider.Listen(t.Context(), "")
	testkit.Must(t, err)
	p.exec(`create schema before`)
	for _, table := range tables {
		p.exec(fmt.Sprintf(`create table before.%[1]s as table public.%[1]s`, table))
	}
	return p
}

var tables = []string{
	"clients", "zones", "profiles", "reports", "audit_log", "twitter_tweets", "twitter_engagement_history", "twitter_engagement_tracking",
}

func (p *project) as(user, password string) string {
	u := *p.url
	u.User = url.UserPassword(user, password)
	return u.String()
}

func (p *project) exec(sql string) {
	p.t.Helper()
	if _, err := p.admin.Exec(p.t.Context(), sql); err != nil {
		p.t.Fatalf("%v\n%s", err, sql)
	}
}

func (p *project) own(sql string, args ...any) {
	p.t.Helper()
	if _, err := p.owner.Exec(p.t.Context(), sql, args...); err != nil {
		p.t.Fatalf("%v\n%s", err, sql)
	}
}

func (p *project) text(sql string, args ...any) (text string) {
	p.t.Helper()
	if err := p.admin.QueryRow(p.t.Context(), sql, args...).Scan(&text); err != nil {
		p.t.Fatalf("%v\n%s", err, sql)
	}
	return text
}

// fill puts what a reader has in place of what the page says.
func (p *project) fill(text string) string {
	address := regexp.MustCompile(`postgres://(\w+)\.PROJECT:PASSWORD@[^']*`)
	text = address.ReplaceAllStringFunc(text, func(found string) string {
		if strings.Contains(found, "gorgone_engine") {
			return p.as("gorgone_engine", "PASSWORD")
		}
		return p.as("project_owner", "owner")
	})
	return strings.NewReplacer("nats://127.0.0.1:4222", p.nats, "TWITTER_API_KEY=KEY", "TWITTER_API_KEY="+providerKey).Replace(text)
}

// mend runs the check, and then the statements that it prints, until the database fits.
func (p *project) mend(sh *shell, text string) {
	p.t.Helper()
	out, err := sh.try(text)
	if err == nil {
		p.t.Fatalf("the check finds nothing in a database of another shape:\n%s", out)
	}
	statements := regexp.MustCompile(`(?m): (alter table .*)$`).FindAllStringSubmatch(out, -1)
	if len(statements) < 2 {
		p.t.Fatalf("the check says:\n%s", out)
	}
	for _, s := range statements {
		p.own(s[1])
	}
	sh.run(text)
}

// createRole does what the page says about the role, as an administrator.
func (p *project) createRole() {
	p.t.Helper()
	for _, b := range blocks(p.t, rolePage, roleHead) {
		if b.language == "sql" {
			p.exec(b.text)
		}
	}
}

// speedUp lets engine time run faster from now on.
func (p *project) speedUp() {
	p.t.Helper()
	p.clock.Lock()
	defer p.clock.Unlock()
	if err := p.admin.QueryRow(p.t.Context(), `
		insert into gorgone.clock (only_row, database_at, engine_at, speed) select true, t, t, $1 from clock_timestamp() t
		on conflict (only_row) do update set database_at = excluded.database_at, engine_at = excluded.engine_at, speed = excluded.speed
		returning database_at`, float64(speed)).Scan(&p.began); err != nil {
		p.t.Fatal(err)
	}
}

// now is engine time, for the provider.
func (p *project) now() time.Time {
	p.clock.Lock()
	defer p.clock.Unlock()
	if p.began.IsZero() {
		return time.Now()
	}
	return p.began.Add(speed * time.Since(p.began))
}

// waitForADay waits until a day of engine time is over and every young tweet was looked up
// until it went cold.
func (p *project) waitForADay() {
	p.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(6 * time.Minute)
	defer end.Stop()
	over := func() bool {
		return p.now().Sub(p.began) > 24*time.Hour && p.text(`
			select count(*)::text from twitter_engagement_tracking k join twitter_tweets w on w.id = k.tweet_db_id
			where w.text = 'young' and k.update_count >= 5 and k.tier = 'cold'`) == strconv.Itoa(young)
	}
	for !over() {
		select {
		case <-tick.C:
		case <-end.C:
			p.t.Fatal("the day did not end")
		}
	}
}

// definitions is what the project has defined, but for what the page says is added.
func (p *project) definitions() string {
	p.t.Helper()
	return p.text(`select string_agg(what, E'\n' order by what) from (
		select format('policy %s %s %s %s', tablename, policyname, roles, qual) from pg_policies where schemaname = 'public'
		union all select format('trigger %s', pg_get_triggerdef(oid)) from pg_trigger where not tgisinternal and tgrelid::regclass::text !~ 'gorgone'
		union all select format('published %s %s', pubname, tablename) from pg_publication_tables
		union all select format('view %s', pg_get_viewdef('public.zone_totals'::regclass))
		union all select format('sequence %s %s', schemaname, sequencename) from pg_sequences where schemaname = 'public'
		union all select format('grant %s %s %s', table_name, grantee, privilege_type) from information_schema.role_table_grants
			where table_schema = 'public' and grantee in ('anon', 'authenticated', 'PUBLIC')
		union all select format('rls %s %s', relname, relrowsecurity) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname = any(array['` + strings.Join(tables, "','") + `'])
		union all select format('owner %s %s', relname, relowner::regrole) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname = any(array['` + strings.Join(tables, "','") + `'])
	) d (what)`)
}

// unchanged compares every old row with what it was.
func (p *project) unchanged(definitions string) {
	p.t.Helper()
	if now := p.definitions(); now != definitions {
		p.t.Errorf("definitions were\n%s\nand are\n%s", definitions, now)
	}
	// What may differ: what the page's own statement sets, the counts of tweets that are looked
	// up and when they changed, and the schedule of those that are.
	differs := map[string]string{
		"zones":                       `column_name <> 'updated_at'`,
		"twitter_tweets":              `column_name !~ '_count$|^updated_at$'`,
		"twitter_engagement_tracking": `column_name !~ '^(tier|last_updated_at|next_update_at|update_count)$'`,
	}
	for _, table := range tables {
		if n := p.text(`select count(*)::text from before.` + table); n == "0" {
			p.t.Errorf("%s had no row to lose", table)
		}
		condition := differs[table]
		if condition == "" {
			condition = "true"
		}
		columns := p.text(`select string_agg(quote_ident(column_name), ', ' order by ordinal_position)
			from information_schema.columns where table_schema = 'before' and table_name = $1 and `+condition, table)
		p.none(table, fmt.Sprintf(`select %[2]s from before.%[1]s except all select %[2]s from public.%[1]s`, table, columns))
	}
	p.none("old tweets", `select * from before.twitter_tweets where text like 'old%' except all
		select `+p.text(`select string_agg('w.' || quote_ident(column_name), ', ' order by ordinal_position) from information_schema.columns where table_schema = 'before' and table_name = 'twitter_tweets'`)+` from public.twitter_tweets w`)
	p.none("cold tracking rows", `select tweet_db_id, tier, last_updated_at, next_update_at, update_count from before.twitter_engagement_tracking where tier = 'cold'
		except all select tweet_db_id, tier, last_updated_at, next_update_at, update_count from public.twitter_engagement_tracking`)
	if n := p.text(`select count(*)::text from public.twitter_engagement_history h join public.twitter_tweets w on w.id = h.tweet_id where w.text = 'young'`); n == "0" {
		p.t.Error("the day left no history")
	}
}

// none reports rows that a query finds.
func (p *project) none(what, sql string) {
	p.t.Helper()
	if n := p.text(`select count(*)::text from (` + sql + `) d`); n != "0" {
		p.t.Errorf("%s: %s old rows changed or are gone: %s", what, n, p.text(`select d::text from (`+sql+`) d limit 1`))
	}
}
