package cli

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"gorgone/internal/devstack/runfile"
	"gorgone/internal/testkit"
	"gorgone/store/storetest"
)

// TestDoctor has one fault after another in one stack.
func TestDoctor(t *testing.T) {
	t.Parallel()
	u := startUp(t, madeDir(t), "--tweets", "5")
	t.Run("names pauses", func(t *testing.T) { u.in(t).doctorNamesPauses() })
	t.Run("asks once", func(t *testing.T) { u.in(t).doctorAsksOnce() })
	t.Run("says what consent is for", func(t *testing.T) { u.in(t).retentionWaits() })
	t.Run("adds connections up", func(t *testing.T) { u.in(t).doctorAddsConnectionsUp() })
	t.Run("names what cannot be looked up", func(t *testing.T) { u.in(t).doctorNamesWhatCannotBeLookedUp() })
}

// doctorNamesPauses: who wonders why nothing is looked up asks it.
func (u *up) doctorNamesPauses() {
	t := u.t
	t.Helper()
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

// doctorAsksOnce: no check is made twice, and durations are in people's units.
func (u *up) doctorAsksOnce() {
	t := u.t
	t.Helper()
	seen := make(map[string]bool)
	for line := range strings.Lines(u.run("doctor", "--json")) {
		var f finding
		testkit.Must(t, json.Unmarshal([]byte(line), &f))
		if seen[f.Check] {
			t.Errorf("%s is asked twice", f.Check)
		}
		seen[f.Check] = true
		if regexp.MustCompile(`\d[hm]\d+[ms]`).MatchString(f.Detail) {
			t.Errorf("%s: %s", f.Check, f.Detail)
		}
	}
	if !seen["writes"] {
		t.Errorf("writes are not checked: %v", seen)
	}
}

// retentionWaits: the default removes nothing before it is agreed to, though nothing is old yet.
func (u *up) retentionWaits() {
	t := u.t
	t.Helper()
	if out := u.run("retention", "--json"); !strings.Contains(out, `"removes":false`) {
		t.Errorf("before anybody agreed: %s", out)
	}
	if out := u.run("retention", "--confirm"); !strings.Contains(out, "kept in full for 30 days, as ") {
		t.Errorf("agreed: %s", out)
	}
	if out := u.run("retention", "--json"); !strings.Contains(out, `"removes":true`) {
		t.Errorf("after it was agreed to: %s", out)
	}
}

// doctorAddsConnectionsUp: what all processes may open together must fit into the database,
// which refuses it under load only.
func (u *up) doctorAddsConnectionsUp() {
	t := u.t
	t.Helper()
	if out := u.run("doctor"); !strings.Contains(out, "1 process: 12 at most, and the server") {
		t.Errorf("before:\n%s", out)
	}
	r, err := runfile.Read(u.dir)
	testkit.Must(t, err)
	raw := storetest.ConnectRaw(t, r.DatabaseURL)
	_, err = raw.Exec(t.Context(), `alter database gorgone connection limit 10`)
	testkit.Must(t, err)
	out, code := gorgone(t, "", "doctor", "--data-dir", u.dir)
	if code != exitFailed || !strings.Contains(out, "FAIL  connections") || !strings.Contains(out, "takes 10") || !strings.Contains(out, "GORGONE_DB_MAX_CONNS") {
		t.Errorf("exit %d:\n%s", code, out)
	}
	_, err = raw.Exec(t.Context(), `alter database gorgone connection limit -1`)
	testkit.Must(t, err)
}

// doctorNamesWhatCannotBeLookedUp: a tracked row without a usable tweet id is named with
// what is wrong with it, and counted by stats.
func (u *up) doctorNamesWhatCannotBeLookedUp() {
	t := u.t
	t.Helper()
	r, err := runfile.Read(u.dir)
	testkit.Must(t, err)
	raw := storetest.ConnectRaw(t, r.DatabaseURL)
	_, err = raw.Exec(t.Context(), `
		with bad as (
			insert into twitter_tweets (zone_id, tweet_id, text, twitter_created_at, raw_data)
			select id, 'x' || chr(27) || '1', '', now(), '{}' from zones limit 1 returning id)
		insert into twitter_engagement_tracking (tweet_db_id, tier, next_update_at, last_updated_at) select id, 'hot', now() - interval '1 hour', null from bad`)
	testkit.Must(t, err)
	u.until("the row was met", func(s stats) bool { return s.Unusable == 1 })
	out, code := gorgone(t, "", "doctor", "--data-dir", u.dir)
	if code != exitFailed || !strings.Contains(out, `"x\x1b1"`) || strings.Count(out, "FAIL") != 1 {
		t.Errorf("exit %d:\n%s", code, out)
	}
}
