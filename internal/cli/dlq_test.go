package cli

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/internal/devstack/runfile"
	"gorgone/queue"
)

func TestParseSelection(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", "-1", "5-3", "3-", "1.5", "all-3"} {
		if _, err := parseSelection([]string{bad}); ExitCode(err) != exitUsage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	s, err := parseSelection([]string{"7", "3-5"})
	if err != nil || !s.many || !slices.Equal(s.single, []uint64{7}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestDLQ works dead letters off beside a running up.
func TestDLQ(t *testing.T) {
	t.Parallel()
	dir := madeDir(t)
	u := startUp(t, dir, "--tweets", "5")
	var id string
	var row uuid.UUID
	conn := u.sql()
	u.until("a tweet was looked up and is not due soon", func(stats) bool {
		return conn.QueryRow(t.Context(), `update twitter_engagement_tracking k set attempts = 3, retry_at = k.next_update_at + interval '1 hour'
			from twitter_tweets w where w.id = k.tweet_db_id and k.claim_id is null and k.tweet_db_id = (
				select tweet_db_id from twitter_engagement_tracking where claim_id is null and next_update_at > now() + interval '5 minutes' limit 1)
			returning w.tweet_id, w.id`).Scan(&id, &row) == nil
	})
	if out := u.run("dlq", "list"); out != "no dead letters\n" {
		t.Errorf("dlq list printed %q", out)
	}
	r, err := runfile.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	nats, err := queue.Connect(t.Context(), queue.Options{URL: r.NATSURL, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	defer nats.Close()
	q, err := queue.Open(t.Context(), nats, queue.Config{})
	if err != nil {
		t.Fatal(err)
	}
	// Letters 1 to 6: a batch whose claim has ended, nonsense, a refresh, and three more.
	batch, err := json.Marshal(map[string]any{"v": 1, "id": uuid.New(), "until": time.Now().Add(-time.Minute), "tweets": []queue.Tweet{{ID: id, Rows: []uuid.UUID{row}}}})
	if err != nil {
		t.Fatal(err)
	}
	refresh, err := json.Marshal(map[string]any{"v": 1, "request_id": uuid.New(), "tweet_id": id, "requested_at": time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range []queue.DeadLetter{
		{Class: queue.ClassBatch, Subject: "eng.batch.due", Body: batch},
		{Class: queue.ClassBatch, Subject: "eng.batch.due", Body: []byte("\xffnonsense")},
		{Class: queue.ClassRefresh, Subject: "eng.refresh." + id, Body: refresh},
		{Class: queue.ClassBatch, Body: []byte("{}")},
		{Class: queue.ClassBatch, Body: []byte("{}")},
		{Class: queue.ClassBatch, Body: []byte("{}")},
	} {
		l.Reason, l.Deliveries, l.FirstSeen, l.StreamSeq = "a test", 2, time.Now(), uint64(1000+i)
		if err := q.AddDeadLetter(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	if out := u.run("dlq", "list", "--limit", "2"); strings.Count(out, "a test") != 2 || !strings.Contains(out, "\n6 ") {
		t.Errorf("dlq list printed:\n%s", out)
	}
	var list []deadLetterLine
	if err := json.Unmarshal([]byte(u.run("dlq", "list", "--json")), &list); err != nil || len(list) != 6 || list[4].Base64 == "" || list[5].Body == nil {
		t.Errorf("dlq list --json: %+v, %v", list, err)
	}
	if out := u.run("dlq", "show", "1"); !strings.Contains(out, "reason      a test") || !strings.Contains(out, id) {
		t.Errorf("dlq show printed:\n%s", out)
	}
	if out := u.run("dlq", "retry", "1"); !strings.Contains(out, "claim has ended") || !strings.Contains(out, "1 rows that back off are due now") {
		t.Errorf("dlq retry of a batch printed %q", out)
	}
	if out := u.run("dlq", "retry", "3"); !strings.Contains(out, id) {
		t.Errorf("dlq retry of a refresh printed %q", out)
	}
	for _, tc := range []struct {
		args []string
		code int
	}{
		{[]string{"retry", "2"}, exitFailed},   // cannot be read
		{[]string{"show", "99"}, exitNotFound}, // is not there
		{[]string{"drop", "99"}, exitNotFound}, // likewise
		{[]string{"retry", "3"}, exitNotFound}, // was retried
		{[]string{"drop", "all"}, exitUsage},   // no answer was given
		{[]string{"drop"}, exitUsage},          // which?
		{[]string{"show", "first"}, exitUsage}, // no number
		{[]string{"drop", "4-5", "-y"}, 0},     // two of them
		{[]string{"drop", "all", "--yes"}, 0},
	} {
		if out, code := gorgone(t, "", append([]string{"dlq", "--data-dir", dir}, tc.args...)...); code != tc.code {
			t.Errorf("dlq %v exits %d, want %d\n%s", tc.args, code, tc.code, out)
		}
	}
	if out := u.run("dlq", "list"); out != "no dead letters\n" {
		t.Errorf("after all were dropped dlq list printed %q", out)
	}
	if _, err := q.DeadLetter(t.Context(), 2); !errors.Is(err, queue.ErrNoDeadLetter) {
		t.Errorf("number 2 is left: %v", err)
	}
}
