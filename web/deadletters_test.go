package web_test

import (
	"fmt"
	"strings"
	"testing"

	"gorgone/internal/testkit"
	"gorgone/web/auth"
)

const lettersPath = "/api/twitter/dead-letters"

type letterAnswer struct {
	Data []struct {
		Seq       uint64
		Lane      string
		Reason    string
		Retriable bool
	}
}

// TestDeadLetters lists, shows, retries and drops dead letters, as those may who
// may enter every zone.
func TestDeadLetters(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	_, tweetID := e.row(0)
	nc := e.nats.Connect(t)
	put := func(lane, subject, body string) {
		t.Helper()
		e.publishDead(nc, lane, subject, body)
	}
	put("batch", "t.batch.due", "not json")
	put("refresh", "t.refresh."+tweetID, fmt.Sprintf(`{"v":1,"request_id":"0190d0a4-8c8e-7f3e-8000-000000000001","tweet_id":%q,"requested_at":"2026-01-01T00:00:00Z","deadline":"2026-01-01T00:01:00Z"}`, tweetID))

	var list letterAnswer
	e.ok(200, "GET", lettersPath, scopedToken(auth.ScopeOperate), "").into(t, &list)
	if len(list.Data) != 2 || list.Data[0].Lane != "refresh" || list.Data[1].Lane != "batch" || list.Data[1].Reason != "for a test" || !list.Data[1].Retriable {
		t.Fatalf("%+v", list)
	}
	bad, refresh := fmt.Sprint(lettersPath, "/", list.Data[1].Seq), fmt.Sprint(lettersPath, "/", list.Data[0].Seq)
	if a := e.ok(200, "GET", bad, e.service, ""); !strings.Contains(string(a.body), "not json") {
		t.Errorf("%s", a.body)
	}
	if a := e.ok(409, "POST", bad+"/retry", e.service, ""); a.code(t) != "unreadable" {
		t.Errorf("%s", a.body)
	}
	e.ok(200, "POST", refresh+"/retry", e.service, "")
	e.ok(404, "GET", refresh, e.service, "")
	depth, err := e.queue.Depth(t.Context())
	testkit.Must(t, err)
	if depth.Refresh.Pending != 1 || depth.DeadLetters != 1 {
		t.Errorf("after the retry: %+v", depth)
	}
	_, manager := e.user("manager", true)
	_, admin := e.user("admin", false)
	e.ok(403, "GET", lettersPath, manager, "")
	e.ok(403, "POST", bad+"/drop", manager, "")
	e.ok(200, "POST", bad+"/drop", admin, "")
	e.ok(404, "POST", bad+"/drop", admin, "")
	e.ok(400, "GET", lettersPath+"/first", e.service, "")
	e.ok(200, "GET", lettersPath, e.service, "").into(t, &list)
	if len(list.Data) != 0 {
		t.Errorf("left over: %+v", list)
	}
}
