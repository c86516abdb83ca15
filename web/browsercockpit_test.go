//go:build browser

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"gorgone/internal/browsertest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/twitter"
)

// TestPageOfTheCockpit pauses and resumes with a reason, edits a zone and sorts the zones,
// shows what was spent, and drops dead letters at once, by clicks alone; going back keeps
// its place.
func TestPageOfTheCockpit(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3, budget: store.Budget{Day: 10}})
	testkit.Must(t, e.ledger.RecordCalls(t.Context(), false, store.Calls{Provider: twitter.TwitterAPIName, Count: 1, Billed: 100}))
	nc := e.nats.Connect(t)
	for range 20 {
		e.publishDead(nc, "batch", "t.batch.due", "not json")
	}
	b := browsertest.New(t, 1280, 600)
	e.signIn(b, e.service)
	b.Click(`[data-do="pause-batches"]`)
	b.Type(`form[data-form="pause"] input[name="reason"]`, "the bill")
	b.Click(`form[data-form="pause"] button[type="submit"]`)
	b.Until(`document.querySelector(".banner[role=alert]").textContent.includes("the bill") && document.querySelector('[data-do="resume-batches"]') !== null`)
	b.Click(`[data-do="resume-batches"]`)
	b.Until(`document.querySelector('[data-do="pause-batches"]') !== null`)
	if n := e.count(`select count(*) from gorgone.pauses`); n != 0 {
		t.Error("it is paused still")
	}

	b.Click(`nav a[href="#/zones"]`)
	b.Until(`document.querySelector("tr[data-zone]") !== null`)
	b.Click(`[data-do="edit"]`)
	browsertest.Get[bool](b, `(document.querySelector('form[data-form="zone"] select').value = "adaptive") !== ""`)
	b.Click(`form[data-form="zone"] button[type="submit"]`)
	b.Until(`document.querySelector("form") === null && document.querySelector("tr[data-zone]").textContent.includes("Adaptive")`)
	b.Click(`[data-sort="live"]`)
	b.Until(`location.hash === "#/zones?sort=live&down=1" && document.querySelector('[aria-sort="descending"]') !== null`)

	b.Click(`nav a[href="#/tweets"]`)
	b.Click(`[data-sort="posted"]`)
	b.Until(`location.hash === "#/tweets?by=posted" && document.querySelector('[aria-sort="descending"] [data-sort="posted"]') !== null`)
	newest := browsertest.Get[string](b, `document.querySelector("tr[data-tweet]").dataset.tweet`)
	b.Click(`[data-sort="posted"]`)
	b.Until(`location.hash.includes("order=asc") && document.querySelectorAll("tr[data-tweet]").length === 3`)
	b.Until(`[...document.querySelectorAll("tr[data-tweet]")].at(-1).dataset.tweet === "` + newest + `"`)
	b.Click(`[data-do="save-filter"]`)
	b.Type(`form[data-form="filter"] input`, "Oldest")
	b.Click(`form[data-form="filter"] button[type="submit"]`)
	b.Until(`document.querySelector(".saved-filter a[aria-current]")?.textContent === "Oldest"`)
	b.Click(`nav a[href="#/tweets"]`)
	b.Until(`location.hash === "#/tweets" && document.querySelector(".saved-filter a:not([aria-current])") !== null`)
	b.Click(`.saved-filter a`)
	b.Until(`location.hash === "#/tweets?by=posted&order=asc" && document.querySelectorAll("tr[data-tweet]").length === 3`)
	b.Click(`.saved-filter button`)
	b.Until(`document.querySelector(".saved-filter") === null`)

	b.Click(`nav a[href="#/cost"]`)
	b.Until(`document.querySelectorAll("[data-day]").length === 31 && document.querySelector("meter") !== null`)
	if text := browsertest.Get[string](b, `document.querySelector("[data-day]").textContent`); !strings.HasSuffix(text, "$1.00") {
		t.Errorf("today: %q", text)
	}
	for mark, want := range map[string]string{"data-client": "$1.00None", "data-kind": "$1.00"} {
		if text := browsertest.Get[string](b, fmt.Sprintf(`document.querySelector("tr[%s]").textContent`, mark)); !strings.HasPrefix(text, want) {
			t.Errorf("%s: %q, want %q", mark, text, want)
		}
	}

	b.Click(`nav a[href="#/dead-letters"]`)
	b.Until(`document.querySelectorAll(".letter").length === 20`)
	browsertest.Get[int](b, `window.scrollTo(0, 500), 0`)
	b.Until(`window.scrollY === 500 && new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
	b.Do("go elsewhere", navigate(e.url+"/#/zones"))
	b.Until(`document.querySelector("tr[data-zone]") !== null`)
	browsertest.Get[int](b, `history.back(), 0`)
	b.Until(`document.querySelectorAll(".letter").length === 20 && window.scrollY === 500`)
	browsertest.Get[int](b, `window.scrollTo(0, 0), 0`)
	b.Click(`[data-pick-all]`)
	b.Click(`[data-do="drop-all"]`)
	b.Until(fmt.Sprintf(`document.querySelector('[data-do="drop-all"]').textContent === %q`, "Drop them for good?"))
	b.Click(`[data-do="drop-all"]`)
	b.Until(`document.querySelector(".empty-title")?.textContent === "None"`)
}
