package web_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/internal/testkit"
	"gorgone/web/auth"
)

const updatePath = "/api/twitter/engagement/update"

type triggerAnswer struct {
	Success bool
	Message string
	Skipped string
	Batch   *struct {
		Total, Dispatched, Batches, Skipped int
		Successful, Failed                  *int
		Complete                            *bool
	} `json:"batch_result"`
	API *struct {
		Calls         int
		TweetsPerCall float64 `json:"tweets_per_call"`
		AvgLatencyMS  float64 `json:"avg_latency_ms"`
	} `json:"api_stats"`
	Tracking *struct {
		Total         int
		UltraHot      int        `json:"ultra_hot"`
		NextBatchSize int        `json:"next_batch_size"`
		NextBatchDue  *time.Time `json:"next_batch_due"`
		Queue         *struct{ Batches struct{ Waiting int } }
	} `json:"tracking_stats"`
}

func TestTriggerDispatchesAtOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 250})
	var a triggerAnswer
	e.ok(200, "GET", updatePath, e.service, "").into(t, &a)
	if a.Tracking.Total != 250 || a.Tracking.UltraHot != 250 || a.Tracking.NextBatchSize != 250 || a.Tracking.NextBatchDue == nil {
		t.Errorf("before: %+v", a.Tracking)
	}
	a = triggerAnswer{}
	e.ok(200, "POST", updatePath, e.service, `{"limit":120}`).into(t, &a)
	if !a.Success || a.Batch == nil || a.Batch.Total != 120 || a.Batch.Dispatched != 120 || a.Batch.Batches != 2 || a.Batch.Successful != nil || a.API != nil {
		t.Errorf("%+v %+v", a, a.Batch)
	}
	if a.Tracking == nil || a.Tracking.NextBatchSize != 130 || a.Tracking.Queue == nil || a.Tracking.Queue.Batches.Waiting != 2 {
		t.Errorf("after: %+v", a.Tracking)
	}
	e.ok(200, "POST", updatePath, e.service, "").into(t, &a)
	if a.Batch.Dispatched != 130 {
		t.Errorf("without a limit: %+v", a.Batch)
	}
}

func TestTriggerWaits(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 250, workers: 1})
	var a triggerAnswer
	e.ok(200, "POST", updatePath+"?wait=30s", e.service, `{"limit":200}`).into(t, &a)
	b := a.Batch
	if b.Dispatched != 200 || b.Successful == nil || *b.Successful+*b.Failed != 200 || b.Complete == nil || !*b.Complete {
		t.Fatalf("%+v %+v %v", b, a.API, b.Complete != nil && *b.Complete)
	}
	if a.API == nil || a.API.Calls != 4 || a.API.TweetsPerCall != 50 || a.API.AvgLatencyMS <= 0 {
		t.Errorf("api stats: %+v", a.API)
	}
	if n := e.count(`select count(*) from twitter_engagement_tracking where update_count = 1`); n != *b.Successful {
		t.Errorf("%d tweets were updated, the answer says %d", n, *b.Successful)
	}
}

func TestTriggerRefusesABadBody(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	for _, body := range []string{`{"limit":0}`, `{"limit":10001}`, `{"limit":-5}`, `{"limit":"5"}`, `{"limits":5}`, `[]`, `{"limit":1}{}`, `nonsense`} {
		if a := e.ok(400, "POST", updatePath, e.service, body); a.code(t) != "bad_request" {
			t.Errorf("%s: %s", body, a.body)
		}
		if body == `{"limits":5}` {
			continue // of QStash, what another program's schedule sends besides is ignored
		}
		a := e.ok(489, "POST", updatePath, "", body, delivery(t, updatePath, body, "m-"+body)...)
		if a.header.Get("Upstash-NonRetryable-Error") != "true" {
			t.Errorf("%s: QStash would deliver it again", body)
		}
	}
	e.ok(400, "POST", updatePath+"?wait=forever", e.service, "")
	e.ok(413, "POST", updatePath, e.service, strings.Repeat(" ", 70<<10))
}

func TestTriggerByQStashRunsOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 100})
	const body = `{"limit":60}`
	first := e.ok(200, "POST", updatePath, "", body, delivery(t, updatePath, body, "msg_1")...)
	again := e.ok(200, "POST", updatePath, "", body, delivery(t, updatePath, body, "msg_1")...)
	if string(first.body) != string(again.body) && again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("first %s\nagain %s", first.body, again.body)
	}
	var a, b triggerAnswer
	first.into(t, &a)
	again.into(t, &b)
	if a.Batch.Dispatched != 60 || b.Batch.Dispatched != 60 || e.count(`select count(*) from gorgone.batches`) != 1 {
		t.Errorf("dispatched %+v and %+v", a.Batch, b.Batch)
	}
	e.ok(200, "POST", updatePath, "", body, delivery(t, updatePath, body, "msg_2")...).into(t, &b)
	if b.Batch.Dispatched != 40 {
		t.Errorf("another message: %+v", b.Batch)
	}
	// Another caller's id is not QStash's.
	e.ok(200, "POST", updatePath, e.service, body, auth.HeaderMessageID, "msg_1").into(t, &b)
	if b.Batch.Dispatched != 0 {
		t.Errorf("another caller's message: %+v", b.Batch)
	}
}

func TestTriggerWhileAnotherRuns(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 10})
	tx, err := e.sql.Begin(t.Context())
	testkit.Must(t, err)
	_, err = tx.Exec(t.Context(), `select pg_advisory_xact_lock(427020085613)`) // store's claim lock
	testkit.Must(t, err)
	var a triggerAnswer
	e.ok(200, "POST", updatePath, e.service, "").into(t, &a)
	testkit.Must(t, tx.Rollback(t.Context()))
	if !a.Success || a.Skipped != "busy" {
		t.Errorf("%+v", a)
	}
}

// TestTriggerThatIsNotWaitedFor: QStash gives up while we wait for the batches, and
// delivers again. That must not dispatch more.
func TestTriggerThatIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 100}) // and no worker: the wait has no end
	const path, body = updatePath + "?wait=60s", `{"limit":60}`
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+path, strings.NewReader(body))
	testkit.Must(t, err)
	headers := delivery(t, path, body, "msg_1")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	var waiting conc.WaitGroup
	waiting.Go(func() {
		if res, err := http.DefaultClient.Do(r); err == nil {
			defer res.Body.Close()
			t.Errorf("answered %d while nothing was looked up", res.StatusCode)
		}
	})
	testkit.Until(t, func() bool { return e.count(`select count(*) from gorgone.batches`) == 1 })
	leave()
	waiting.Wait()
	testkit.Until(t, func() bool {
		return e.count(`select count(*) from gorgone.trigger_answers where answer is not null`) == 1
	})
	again := e.ok(200, "POST", path, "", body, delivery(t, path, body, "msg_1")...)
	var a triggerAnswer
	again.into(t, &a)
	if again.header.Get("Idempotent-Replayed") != "true" || a.Batch == nil || a.Batch.Dispatched != 60 || a.Batch.Complete != nil {
		t.Errorf("%s", again.body)
	}
	if n := e.count(`select count(*) from gorgone.batches`); n != 1 {
		t.Errorf("%d batches, want 1", n)
	}
}
