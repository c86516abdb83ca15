package cli

import (
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"gorgone/internal/testkit"
	"gorgone/web/answers"
)

// TestEveryCommand uses the other commands on a running up, as its user would.
func TestEveryCommand(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	u := startUp(t, dir, "--tweets", "30", "--listen", "127.0.0.1:0")
	u.until("some tweets are tracked", func(s stats) bool { return s.Total > 5 })
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
		if out := u.run("refresh", "x.com/jack/status/"+id); !strings.Contains(out, "updated") || !strings.Contains(out, "likes") {
			t.Errorf("refresh printed:\n%s", out)
		}
		var done struct {
			Outcome string `json:"outcome"`
			Rows    []struct {
				ID string `json:"id"`
			} `json:"rows"`
		}
		if err := json.Unmarshal([]byte(u.run("refresh", row, "--json")), &done); err != nil || done.Outcome != "updated" || done.Rows[0].ID != row {
			t.Errorf("refresh --json: %+v, %v", done, err)
		}
		if _, code := gorgone(t, "", "refresh", "--data-dir", dir, "12345"); code != exitNotFound {
			t.Errorf("refresh of an unknown tweet exits %d, want %d", code, exitNotFound)
		}
		if _, code := gorgone(t, "", "refresh", "--data-dir", dir, "abc"); code != exitUsage {
			t.Errorf("refresh of nonsense exits %d, want %d", code, exitUsage)
		}
		// As if the same user had used up the allowance just now.
		tag, err := u.sql().Exec(t.Context(), `insert into gorgone.refresh_requests (id, row_id, tweet_id, requester, requested_at, deadline, closed_at)
			select gen_random_uuid(), r.row_id, r.tweet_id, r.requester, r.requested_at, r.deadline, r.requested_at
			from (select * from gorgone.refresh_requests where requester like 'cli:%' and tweet_id = $1 limit 1) r, generate_series(1, 120)`, id)
		if err != nil || tag.RowsAffected() != 120 {
			t.Fatalf("the refresh left no request: %v, %v", tag, err)
		}
		if _, code := gorgone(t, "", "refresh", "--data-dir", dir, row); code != exitFailed {
			t.Errorf("a refresh over the allowance exits %d, want %d", code, exitFailed)
		}
		var n int
		if err := u.sql().QueryRow(t.Context(), `select count(*) from gorgone.refresh_requests where requester like 'cli:%' and closed_at is null`).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d requests are open after a refusal (%v)", n, err)
		}
	})
	t.Run("budget", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		var zone, client string
		testkit.Must(t, u.sql().QueryRow(t.Context(), `select z.id::text, z.client_id::text from zones z join twitter_tweets w on w.zone_id = z.id where w.id = $1`, row).Scan(&zone, &client))
		var name, owner string
		testkit.Must(t, u.sql().QueryRow(t.Context(), `select z.name, c.name from zones z join clients c on c.id = z.client_id where z.id::text = $1`, zone).Scan(&name, &owner))
		u.run("budget", "zone", name, "--day", "500", "--soft-day", "400")
		u.run("budget", "client", owner, "--month", "9000", "--weight", "2")
		if out := u.run("budget"); !strings.Contains(out, zone) || !strings.Contains(out, "$500.00 a day") || !strings.Contains(out, client) || !strings.Contains(out, "weight 2") {
			t.Errorf("budget printed:\n%s", out)
		}
		u.run("budget", "zone", zone, "--none")
		if out := u.run("budget"); strings.Contains(out, "$500") || !strings.Contains(out, client) {
			t.Errorf("budget printed after --none:\n%s", out)
		}
		for _, args := range [][]string{{"zone", zone}, {"zone", zone, "--day", "-1"}, {"zone", zone, "--day", "5", "--soft-day", "6"}, {"country", "x", "--day", "5"}, {"client", zone, "--day", "5"}} {
			if _, code := gorgone(t, "", append([]string{"budget", "--data-dir", dir}, args...)...); code != exitUsage {
				t.Errorf("budget %v exits %d, want %d", args, code, exitUsage)
			}
		}
		for _, kind := range []string{"zone", "client"} {
			if out, code := gorgone(t, "", "budget", "--data-dir", dir, kind, "Nowhere", "--day", "5"); code != exitNotFound {
				t.Errorf("an unknown %s exits %d, want %d:\n%s", kind, code, exitNotFound, out)
			}
		}
	})
	t.Run("history", func(t *testing.T) {
		t.Parallel()
		u := u.in(t)
		if out := u.run("history", "https://x.com/i/status/"+id+"?s=20"); !strings.Contains(out, "Δlikes") || !strings.Contains(out, row) {
			t.Errorf("history printed:\n%s", out)
		}
		var h struct {
			TweetID   string            `json:"tweet_id"`
			Snapshots []json.RawMessage `json:"snapshots"`
		}
		if err := json.Unmarshal([]byte(u.run("history", id, "--json")), &h); err != nil || h.TweetID != id || len(h.Snapshots) == 0 {
			t.Errorf("history --json: %+v, %v", h, err)
		}
		records, err := csv.NewReader(strings.NewReader(u.run("history", row, "--csv"))).ReadAll()
		if err != nil || len(records) != 1+len(h.Snapshots) || !slices.Equal(records[0], answers.CSVColumns) {
			t.Errorf("history --csv: %v, %v", records, err)
		}
		var zone string
		testkit.Must(t, u.sql().QueryRow(t.Context(), `select z.name from zones z join twitter_tweets w on w.zone_id = z.id where w.id = $1`, row).Scan(&zone))
		records, err = csv.NewReader(strings.NewReader(u.run("history", "--zone", zone, "--csv"))).ReadAll()
		ofRow := slices.DeleteFunc(slices.Clone(records), func(r []string) bool { return r[0] != row })
		if err != nil || !slices.Equal(records[0], answers.ExportColumns()) || len(ofRow) < len(h.Snapshots) || len(records) <= 1+len(ofRow) {
			t.Errorf("history of a zone: %d lines, %d of the tweet, %v", len(records), len(ofRow), err)
		}
		for _, args := range [][]string{{"history", "--zone", zone}, {"history", "--csv"}, {"history", "--zone", zone, "--csv", "--limit", "3"}} {
			if _, code := gorgone(t, "", append(args, "--data-dir", dir)...); code != exitUsage {
				t.Errorf("%v exits %d, want %d", args, code, exitUsage)
			}
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
		if out := u.run("due", "--force", "--cold", "https://mobile.twitter.com/jack/status/"+id+"/photo/1"); !strings.HasPrefix(out, "1 rows") {
			t.Errorf("due --force printed %q", out)
		}
		if out := u.run("due", "--force"); strings.HasPrefix(out, "0 rows") {
			t.Errorf("due --force of all printed %q", out)
		}
		if _, code := gorgone(t, "", "due", "--data-dir", dir, "--force", "https://evil.example/jack/status/20"); code != exitUsage {
			t.Errorf("an address of elsewhere exits %d, want %d", code, exitUsage)
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
		if out := u.run("probe", "https://twitter.com/i/web/status/"+id); !strings.Contains(out, "found      "+id) {
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
		if out := u.run("tweets", "--by", "engagement"); !strings.Contains(out, "ZONE") || !strings.Contains(out, "Elections") || strings.Count(out, "\n") < 3 {
			t.Errorf("tweets printed:\n%s", out)
		}
	})
	t.Run("a second web server", func(t *testing.T) { // beside up, as replicas run
		t.Parallel()
		taken := strings.TrimPrefix(u.in(t).running().WebURL, "http://")
		if _, code := gorgone(t, "", "web", "--data-dir", dir, "--listen", taken); code != exitUsage {
			t.Errorf("on a taken address: exit %d", code)
		}
	})
	t.Run("a second up in the same folder", func(t *testing.T) {
		t.Parallel()
		if _, code := gorgone(t, "", "up", "--data-dir", dir); code != exitUsage {
			t.Errorf("exits %d, want %d", code, exitUsage)
		}
	})
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
		{"drill", "--seed", "1"}, // gorgone-lab has it
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
