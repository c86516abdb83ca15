//go:build browser

package web_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/browsertest"
	"gorgone/internal/testkit"
	"gorgone/store"
)

// TestPageOfAlertRules makes, edits, switches off and removes a rule and a webhook, and
// tests the webhook, by clicks alone.
func TestPageOfAlertRules(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	got := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	t.Cleanup(hook.Close)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Do("go to the alerts", navigate(e.url+"/#/alerts"))
	b.Until(`document.querySelector('[data-card="rules"] tr[data-rule]') !== null`) // that of a new database
	choose := func(selector, value string) {
		t.Helper()
		browsertest.Get[bool](b, fmt.Sprintf(`(() => { const s = document.querySelector(%q); s.value = %q; s.dispatchEvent(new Event("change", { bubbles: true })); return true; })()`, selector, value))
	}
	b.Click(`[data-do="add-rule"]`)
	choose(`form[data-form="rule"] select[name="kind"]`, "burst")
	b.Until(`document.querySelector('form[data-form="rule"] input[name="threshold"]').value === "6"`)
	b.Click(`form[data-form="rule"] button[type="submit"]`)
	b.Until(`document.querySelectorAll("tr[data-rule]").length === 2 && document.querySelector("form") === null`)
	last := `tr[data-rule]:last-child `
	b.Click(last + `[data-do="edit"]`)
	browsertest.Get[bool](b, `(document.querySelector('form input[name="threshold"]').value = "9") !== ""`)
	b.Click(`form[data-form="rule"] button[type="submit"]`)
	b.Until(`document.querySelector("form") === null`)
	b.Click(last + `[data-do="switch"]`)
	b.Until(fmt.Sprintf(`document.querySelector(%q).textContent.includes("Off")`, last))
	if n := e.count(`select count(*) from gorgone.alert_rules where kind = 'burst' and threshold = 9 and not enabled`); n != 1 {
		t.Error("the rule was not edited and switched off")
	}
	b.Click(last + `[data-do="remove"]`)
	b.Until(fmt.Sprintf(`document.querySelector(%q).textContent === "Remove it?"`, last+`[data-do="remove"]`))
	b.Click(last + `[data-do="remove"]`)
	b.Until(`document.querySelectorAll("tr[data-rule]").length === 1`)

	b.Click(`[data-do="add-webhook"]`)
	b.Type(`form[data-form="webhook"] input[name="url"]`, hook.URL+"/x")
	b.Click(`form[data-form="webhook"] button[type="submit"]`)
	b.Until(`document.querySelector(".secret")?.textContent.startsWith("whsec_") && document.querySelectorAll("tr[data-webhook]").length === 1`)
	b.Click(`[data-webhook] [data-do="test"]`)
	b.Until(`document.querySelector("#toasts").textContent.includes("The test was delivered.")`)
	if n := len(got); n != 1 {
		t.Errorf("%d tests were posted", n)
	}
	b.Click(`[data-webhook] [data-do="edit"]`)
	choose(`form[data-form="webhook"] select[name="format"]`, "slack")
	b.Click(`form[data-form="webhook"] button[type="submit"]`)
	b.Until(`document.querySelector("form") === null && document.querySelector("[data-webhook]").textContent.includes("slack")`)
	b.Click(`[data-webhook] [data-do="switch"]`)
	b.Until(`document.querySelector("[data-webhook]").textContent.includes("switched off")`)
}

// TestPageOfManyAlerts: why each was raised, filters and pages that the address keeps, and
// what was read stays, with its age, while the server cannot be reached.
func TestPageOfManyAlerts(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	row, id := e.row(0)
	_, err := e.alerts.AddRule(t.Context(), alert.Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 10}})
	testkit.Must(t, err)
	at := e.clock.Now()
	_, err = e.store.ApplyRefresh(t.Context(), []store.RefreshResult{{
		TweetID: id, RequestedAt: at, Kind: store.Found,
		Observation: engagement.Observation{At: at, Metrics: engagement.Metrics{Likes: engagement.Known(20)}},
	}})
	testkit.Must(t, err)
	e.exec(`insert into gorgone.alerts (id, rule_id, rule, kind, zone_id, subject, tweet_db_id, tweet_id, value, message, raised_at, cleared_at)
		select gen_random_uuid(), gen_random_uuid(), 'r', 'tier', $1, $2, $2, $3, 1, 'Tweet ' || $3 || ' moved from hot to warm', $4::timestamptz - n * interval '1 minute', $4 from generate_series(1, 60) n`,
		e.zone, row, id, at)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Do("go to the alerts", navigate(e.url+"/#/alerts"))
	b.Until(`document.querySelectorAll("tr[data-alert]").length === 50`)
	if why := browsertest.Get[string](b, `document.querySelector("tr[data-alert] .cell-why").textContent`); why != "Passed 10 likes: 20" {
		t.Errorf("why: %q", why)
	}
	b.Do("go to the next page", navigate(e.url+"/#/alerts?offset=50"))
	b.Until(`document.querySelectorAll("tr[data-alert]").length === 11`)
	browsertest.Get[bool](b, `(() => { const s = document.querySelector('select[name="kind"]'); s.value = "count"; s.dispatchEvent(new Event("change")); return true; })()`)
	b.Until(`location.hash === "#/alerts?kind=count" && document.querySelectorAll("tr[data-alert]").length === 1`)
	e.stop()
	b.Until(`(document.dispatchEvent(new Event("visibilitychange")), document.querySelector("[data-stale]")?.hidden === false && document.querySelectorAll("tr[data-alert]").length === 1)`)
	b.Forgive("ERR_")
}
