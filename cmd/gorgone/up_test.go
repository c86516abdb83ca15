package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"gorgone/engagement"
	"gorgone/twitter/twittertest"
)

// cascadesVariable names a file of real retweet cascades. With it the life of a
// demonstration is tested on them too.
const cascadesVariable = "GORGONE_TEST_CASCADES"

// gorgone runs a subcommand as the program does, and returns what it printed and
// its exit code.
func gorgone(t *testing.T, stdin string, args ...string) (out string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRoot(strings.NewReader(stdin), &stdout, &stderr)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		code = exitCode(err)
		t.Logf("gorgone %s: exit %d: %v", strings.Join(args, " "), code, err)
	}
	return stdout.String(), code
}

// up is a running "gorgone up".
type up struct {
	t    *testing.T
	dir  string
	stop func() error // asks it to stop, and waits
}

// startUp starts it in a data folder, and waits until other commands find it.
func startUp(t *testing.T, dir string, args ...string) *up {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var log bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		root := newRoot(strings.NewReader(""), &log, &log)
		root.SetArgs(append([]string{"up", "--data-dir", dir}, args...))
		ended <- root.ExecuteContext(ctx)
	}()
	var stopped bool
	u := &up{t: t, dir: dir}
	u.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := u.stop(); err != nil {
			t.Errorf("gorgone up: %v", err)
		}
		if t.Failed() {
			t.Logf("log of gorgone up:\n%s", tail(log.String(), 60))
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := readRunning(dir); err == nil {
			return u
		}
		select {
		case err := <-ended:
			stopped = true
			t.Fatalf("gorgone up ended: %v\n%s", err, log.String())
		case <-tick.C:
		}
	}
}

func tail(s string, lines int) string {
	all := strings.Split(s, "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

// dataDir is a folder that the user running Postgres can enter.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gorgone-up-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// in is u for a subtest.
func (u up) in(t *testing.T) *up {
	t.Helper()
	u.t = t
	return &u
}

// run runs a subcommand against the running up; it must succeed.
func (u *up) run(args ...string) string {
	u.t.Helper()
	out, code := gorgone(u.t, "", append(args, "--data-dir", u.dir)...)
	if code != 0 {
		u.t.Fatalf("gorgone %s: exit %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (u *up) stats() (s stats) {
	u.t.Helper()
	if err := json.Unmarshal([]byte(u.run("stats", "--json")), &s); err != nil {
		u.t.Fatal(err)
	}
	return s
}

// until waits until the statistics satisfy f. It returns all tiers that were
// seen in between.
func (u *up) until(what string, f func(stats) bool) (seen map[engagement.Tier]bool) {
	u.t.Helper()
	seen = make(map[engagement.Tier]bool)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(90 * time.Second)
	defer deadline.Stop()
	for {
		s := u.stats()
		for tier, n := range s.Tiers {
			if n > 0 {
				seen[tier] = true
			}
		}
		if f(s) {
			return seen
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			u.t.Fatalf("%s: not reached: %+v", what, s)
		}
	}
}

func (u *up) sql() *pgx.Conn {
	u.t.Helper()
	r, err := readRunning(u.dir)
	if err != nil {
		u.t.Fatal(err)
	}
	conn, err := pgx.Connect(u.t.Context(), r.DatabaseURL)
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(u.t.Context())) })
	return conn
}

// TestLifeOfADemonstration runs all tweets of a demonstration from their first
// look to the last, and checks the history that it leaves.
func TestLifeOfADemonstration(t *testing.T) {
	t.Parallel()
	lives := map[string][]string{"synthetic": {"--tweets", "60"}}
	if file := os.Getenv(cascadesVariable); file != "" {
		lives["real cascades"] = []string{"--tweets", "120", "--replay", file}
	}
	for name, args := range lives {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := startUp(t, dataDir(t), append(args, "--speed", "2400", "--spread", "2h")...)
			seen := u.until("all tweets are cold", func(s stats) bool {
				return s.Tracked >= 60 && s.Tiers[engagement.Cold] == s.Tracked && s.Backlog+s.Claimed == 0 && s.NextDue.IsZero()
			})
			for _, tier := range engagement.Tiers() {
				if !seen[tier] {
					t.Errorf("no tweet was ever seen in tier %s", tier)
				}
			}
			checkHistory(t, u)
		})
	}
}

// checkHistory checks what the product relies on: every tweet was observed, no
// observation was written twice, and the deltas of each count add up.
func checkHistory(t *testing.T, u *up) {
	t.Helper()
	conn := u.sql()
	for what, query := range map[string]string{
		"tweets never observed": `select count(*) from twitter_engagement_tracking where update_count = 0`,
		"tweets left claimed":   `select count(*) from twitter_engagement_tracking where claim_id is not null`,
		"tweets that failed":    `select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0`,
		"observations written twice": `select count(*) from (
			select 1 from twitter_engagement_history group by tweet_id, snapshot_at having count(*) > 1) twice`,
		"snapshots closer than a minute": `select count(*) from (
			select snapshot_at - lag(snapshot_at) over (partition by tweet_id order by snapshot_at) as gap
			from twitter_engagement_history) h where gap < interval '1 minute'`,
		"tweets whose deltas do not add up": `select count(*) from (
			select tweet_id,
				sum(delta_retweets) - (max(retweet_count) filter (where n = last) - max(retweet_count) filter (where n = 1)) as retweets,
				sum(delta_replies) - (max(reply_count) filter (where n = last) - max(reply_count) filter (where n = 1)) as replies,
				sum(delta_likes) - (max(like_count) filter (where n = last) - max(like_count) filter (where n = 1)) as likes,
				sum(delta_quotes) - (max(quote_count) filter (where n = last) - max(quote_count) filter (where n = 1)) as quotes,
				sum(delta_views) - (max(view_count) filter (where n = last) - max(view_count) filter (where n = 1)) as views
			from (select *, row_number() over (partition by tweet_id order by snapshot_at) as n,
				count(*) over (partition by tweet_id) as last from twitter_engagement_history) h
			group by tweet_id) sums
			where (retweets, replies, likes, quotes, views) is distinct from (0, 0, 0, 0, 0)`,
		"tweets whose counts are not those of their last snapshot": `select count(*) from twitter_tweets t
			join lateral (select * from twitter_engagement_history h where h.tweet_id = t.id order by snapshot_at desc limit 1) h on true
			where (t.like_count, t.view_count) is distinct from (h.like_count, h.view_count)`,
	} {
		var n int
		if err := conn.QueryRow(t.Context(), query).Scan(&n); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if n != 0 {
			t.Errorf("%d %s", n, what)
		}
	}
}

// TestEveryCommand uses the other commands on a running up, as its user would.
func TestEveryCommand(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	u := startUp(t, dir, "--tweets", "30")
	u.until("some tweets are tracked", func(s stats) bool { return s.Tracked > 5 })
	var id, row string
	err := u.sql().QueryRow(t.Context(), `select min(tweet_id), min(id::text) from twitter_tweets
		where tweet_id in (select tweet_id from twitter_tweets group by tweet_id having count(*) = 1)
		group by tweet_id order by 1 limit 1`).Scan(&id, &row)
	if err != nil {
		t.Fatal(err)
	}

	t.Run("refresh", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		if out := u.run("refresh", id); !strings.Contains(out, "updated") || !strings.Contains(out, "likes") {
			t.Errorf("refresh printed:\n%s", out)
		}
		var done struct {
			Outcome string `json:"outcome"`
			Rows    []struct {
				RowID string `json:"row_id"`
			} `json:"rows"`
		}
		if err := json.Unmarshal([]byte(u.run("refresh", row, "--json")), &done); err != nil || done.Outcome != "updated" || done.Rows[0].RowID != row {
			t.Errorf("refresh --json: %+v, %v", done, err)
		}
		if _, code := gorgone(t, "", "refresh", "--data-dir", dir, "12345"); code != exitNotFound {
			t.Errorf("refresh of an unknown tweet exits %d, want %d", code, exitNotFound)
		}
		if _, code := gorgone(t, "", "refresh", "--data-dir", dir, "abc"); code != exitUsage {
			t.Errorf("refresh of nonsense exits %d, want %d", code, exitUsage)
		}
	})
	t.Run("history", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		if out := u.run("history", id); !strings.Contains(out, "Δlikes") || !strings.Contains(out, row) {
			t.Errorf("history printed:\n%s", out)
		}
		var h struct {
			TweetID string            `json:"tweet_id"`
			History []json.RawMessage `json:"history"`
		}
		if err := json.Unmarshal([]byte(u.run("history", id, "--json")), &h); err != nil || h.TweetID != id || len(h.History) == 0 {
			t.Errorf("history --json: %+v, %v", h, err)
		}
		records, err := csv.NewReader(strings.NewReader(u.run("history", row, "--csv"))).ReadAll()
		if err != nil || len(records) != 1+len(h.History) || len(records[0]) != len(historyColumns) {
			t.Errorf("history --csv: %v, %v", records, err)
		}
	})
	t.Run("track", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		out, code := gorgone(t, "20 2006-03-21T20:50:14Z\n# a comment\n\n1585841080431321088\n", "track", "--data-dir", dir, "--new-zone", "Mine", "--file", "-")
		if code != 0 || strings.Count(out, "  tracked") != 2 {
			t.Errorf("exit %d:\n%s", code, out)
		}
		if out := u.run("track", "--zone", "Mine", "1585841080431321088"); !strings.Contains(out, "already tracked") {
			t.Errorf("track again printed:\n%s", out)
		}
		if _, code := gorgone(t, "", "track", "--data-dir", dir, "--zone", "Mine", "20"); code != exitUsage {
			t.Errorf("an id without a time exits %d, want %d", code, exitUsage)
		}
		if _, code := gorgone(t, "", "track", "--data-dir", dir, "--zone", "Mine", "--created-at", "2130-01-01T00:00:00Z", "21"); code != exitUsage {
			t.Errorf("a tweet of the future exits %d, want %d", code, exitUsage)
		}
		if _, code := gorgone(t, "", "track", "--data-dir", dir, "--zone", "Nowhere", "1585841080431321088"); code != exitNotFound {
			t.Errorf("an unknown zone exits %d, want %d", code, exitNotFound)
		}
	})
	t.Run("due", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		if out := u.run("due", "--force", "--cold", id); !strings.HasPrefix(out, "1 rows") {
			t.Errorf("due --force printed %q", out)
		}
		if out := u.run("due", "--force"); strings.HasPrefix(out, "0 rows") {
			t.Errorf("due --force of all printed %q", out)
		}
		if out := u.run("due"); !strings.Contains(out, "due") {
			t.Errorf("due printed %q", out)
		}
	})
	t.Run("stats, doctor, probe, migrate, version", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		if out := u.run("stats"); !strings.Contains(out, "lateness") {
			t.Errorf("stats printed:\n%s", out)
		}
		if out := u.run("doctor", "--ask"); strings.Contains(out, "FAIL") {
			t.Errorf("doctor printed:\n%s", out)
		}
		if out := u.run("probe"); !strings.Contains(out, "found      ") || !strings.Contains(out, "missing    "+badTweet) {
			t.Errorf("probe without ids printed:\n%s", out)
		}
		if out := u.run("health"); out != "ok\n" {
			t.Errorf("health printed %q", out)
		}
		if _, code := gorgone(t, "", "dispatcher", "--once", "--limit", "-4", "--data-dir", dir); code != exitUsage {
			t.Errorf("a negative limit exits %d, want %d", code, exitUsage)
		}
		if out := u.run("probe", id); !strings.Contains(out, "found      "+id) {
			t.Errorf("probe printed:\n%s", out)
		}
		if out := u.run("migrate"); !strings.Contains(out, "up to date") {
			t.Errorf("migrate printed:\n%s", out)
		}
		if out := u.run("version"); !strings.HasPrefix(out, "gorgone ") {
			t.Errorf("version printed %q", out)
		}
		if out := u.run("dispatcher", "--once"); !strings.Contains(out, "dispatched") {
			t.Errorf("dispatcher --once printed %q", out)
		}
	})
	t.Run("tweets", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		if out := u.run("tweets", "--by", "engagement"); !strings.Contains(out, "ZONE") || !strings.Contains(out, demoZones[0].name) || strings.Count(out, "\n") < 3 {
			t.Errorf("tweets printed:\n%s", out)
		}
	})
	t.Run("a second up in the same folder", func(t *testing.T) {
		t.Parallel()
		if _, code := gorgone(t, "", "up", "--data-dir", dir); code != exitUsage {
			t.Errorf("exits %d, want %d", code, exitUsage)
		}
	})
}

// TestDoctorNamesPauses: who wonders why nothing is looked up asks it.
func TestDoctorNamesPauses(t *testing.T) {
	t.Parallel()
	u := startUp(t, dataDir(t), "--tweets", "5")
	u.run("pause", "batches", "--reason", "the bill")
	out, code := gorgone(t, "", "doctor", "--data-dir", u.dir)
	if code != exitFailed || !strings.Contains(out, "the bill") || !strings.Contains(out, "gorgone resume batches") || strings.Count(out, "FAIL") != 1 {
		t.Errorf("exit %d:\n%s", code, out)
	}
	u.run("resume")
	if out := u.run("doctor"); !strings.Contains(out, "nothing is paused") {
		t.Errorf("after resume:\n%s", out)
	}
}

// TestUsageErrors: what is mistyped is not taken for done.
func TestUsageErrors(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"nosuch"},
		{"alert", "lst"},
		{"alert", "rules", "lst"},
		{"alert", "webhooks", "foo"},
		{"dlq", "foo"},
		{"qstash", "foo"},
		{"token", "foo"},
		{"help", "nosuch"},
		{"help", "alert", "lst"},
		{"probe", "abc"},
		{"probe", "20", "abc"},
		{"health", "--data-dir", t.TempDir()},
		{"drill", "--without", "nosuch"},
	} {
		if _, code := gorgone(t, "", args...); code != exitUsage {
			t.Errorf("%v: exits %d, want %d", args, code, exitUsage)
		}
	}
	for _, args := range [][]string{{"help"}, {"help", "alert", "rules"}, {"help", "track"}, {"alert"}, {"dlq"}, {"token"}} {
		if out, code := gorgone(t, "", args...); code != 0 || !strings.Contains(out, "Usage:") {
			t.Errorf("%v: exits %d:\n%s", args, code, out)
		}
	}
}

// TestARefusedDrillLeavesNothing: it is refused before its folder is made, or that
// is taken away again.
func TestARefusedDrillLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	if _, code := gorgone(t, "", "drill", "--tweets", "0"); code != exitUsage {
		t.Errorf("exits %d, want %d", code, exitUsage)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	_, err = execute(t, "drill", "--without", "nosuch")
	if err == nil || !strings.Contains(err.Error(), "freeze") || !strings.Contains(err.Error(), "zeroed_counts") {
		t.Errorf("the faults that there are are not listed: %v", err)
	}
}

// TestUpGoesOnWhereItWas stops a sped-up demonstration and starts it again.
func TestUpGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	u := startUp(t, dir, "--tweets", "30", "--speed", "60")
	u.until("tweets are tracked", func(s stats) bool { return s.Tracked > 5 })
	before := u.stats()
	if err := u.stop(); err != nil {
		t.Fatal(err)
	}
	if _, code := gorgone(t, "", "stats", "--data-dir", dir); code == 0 {
		t.Error("stats found an up that had stopped")
	}
	u = startUp(t, dir, "--speed", "60")
	after := u.stats()
	if after.Tracked < before.Tracked {
		t.Errorf("%d tweets tracked after the restart, %d before", after.Tracked, before.Tracked)
	}
	// What passed in between is what both ran and the two seconds that a restart
	// allows for; the hours that a stopped clock would have run up are not in it.
	if passed := after.At.Sub(before.At); passed <= 0 {
		t.Errorf("engine time went from %s to %s", before.At, after.At)
	}
	if _, code := gorgone(t, "", "up", "--data-dir", dir); code != exitUsage {
		t.Errorf("a second up exits %d, want %d", code, exitUsage)
	}
}

func TestUpRefuses(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"no speed":               {"--speed", "0"},
		"a speed beyond sense":   {"--speed", "1e9"},
		"a file that is missing": {"--replay", filepath.Join(t.TempDir(), "none.tsv")},
		"an unknown flag":        {"--spead", "60"},
		"an argument":            {"please"},
		"no tweets":              {"--tweets", "0"},
		"a negative time":        {"--spread", "-1h"},
	} {
		if _, code := gorgone(t, "", append([]string{"up", "--data-dir", dataDir(t)}, args...)...); code != exitUsage {
			t.Errorf("%s: exits %d, want %d", name, code, exitUsage)
		}
	}
}

// TestResetDeletesOnlyWhatIsOurs: a folder may have a "nats" in it.
func TestResetDeletesOnlyWhatIsOurs(t *testing.T) {
	t.Parallel()
	dir := dataDir(t)
	mine := filepath.Join(dir, "nats")
	if err := os.Mkdir(mine, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, code := gorgone(t, "", "up", "--data-dir", dir, "--reset"); code != exitUsage {
		t.Errorf("exits %d, want %d", code, exitUsage)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

func TestARealProviderIsNotAskedAboutMadeUpTweets(t *testing.T) {
	dir := dataDir(t)
	u := startUp(t, dir, "--tweets", "5")
	t.Setenv("TWITTER_API_KEY", "a-real-key")
	if _, code := gorgone(t, "", "worker", "--data-dir", dir); code != exitUsage {
		t.Errorf("a worker with a key beside a demonstration exits %d, want %d", code, exitUsage)
	}
	if err := u.stop(); err != nil {
		t.Fatal(err)
	}
	if _, code := gorgone(t, "", "up", "--data-dir", dir); code != exitUsage {
		t.Errorf("up with a key on a demonstration exits %d, want %d", code, exitUsage)
	}
}

// TestUpWithAShortKey: a double of gorgone provider may have any key.
func TestUpWithAShortKey(t *testing.T) {
	population, err := demo{Tweets: 1, Seed: 1, Start: time.Now()}.population()
	if err != nil {
		t.Fatal(err)
	}
	double, err := twittertest.NewServer(twittertest.Config{Population: population, Key: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(double.Close)
	url, err := double.Listen(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TWITTER_API_KEY", "secret")
	t.Setenv("TWITTER_API_URL", url)
	dir := dataDir(t)
	u := startUp(t, dir, "--listen", "127.0.0.1:0")
	if out := u.run("doctor"); strings.Contains(out, "FAIL") {
		t.Errorf("doctor printed:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(dir, localPushFile)); err != nil {
		t.Errorf("no key of the webhook was made: %v", err)
	}
}

func TestCommandsWithoutUpSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"stats"}, {"refresh", "20"}, {"history", "20"}, {"due"}, {"worker"}, {"dispatcher"}, {"migrate"}} {
		_, err := execute(t, append(args, "--data-dir", t.TempDir())...)
		if !errors.Is(err, errNotRunning) || !strings.Contains(err.Error(), "DATABASE_URL") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	root := newRoot(strings.NewReader(""), &out, &out)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	return out.String(), err
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	var sorted []time.Duration
	for i := range 200 {
		sorted = append(sorted, time.Duration(i+1)*time.Millisecond)
	}
	for p, want := range map[int]int{50: 100, 95: 190, 99: 198, 100: 200} {
		if got := percentile(sorted, p); got != time.Duration(want)*time.Millisecond {
			t.Errorf("p%s is %s, want %d ms", strconv.Itoa(p), got, want)
		}
	}
	if got := percentile(nil, 99); got != 0 {
		t.Errorf("p99 of nothing is %s", got)
	}
}
