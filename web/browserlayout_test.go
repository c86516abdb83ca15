//go:build browser

package web_test

import (
	_ "embed"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/internal/browsertest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/store/pause"
)

// widths are of a small and a usual phone, of tablets and of desks.
var widths = []int64{360, 390, 740, 768, 1024, 1440}

//go:embed testdata/audit.js
var audit string

// pendingCalls counts the requests that a page waits for. Events never end.
const pendingCalls = `(() => {
	const call = window.fetch;
	window.pendingCalls = 0;
	window.fetch = async (...args) => {
		if (String(args[0]).includes("/events")) return call(...args);
		window.pendingCalls++;
		try { return await call(...args); } finally { setTimeout(() => window.pendingCalls--); }
	};
	window.setInterval = () => 0;
	return true;
})()`

// TestPagesAtEveryWidth walks all pages of the dashboard, at each width, in light and
// in dark, with the longest texts and the largest numbers that may be there. With
// GORGONE_TEST_PICTURES set it saves what it saw.
func TestPagesAtEveryWidth(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 12, workers: 1})
	row := e.hardToShow()
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Until(`document.querySelector(".live").dataset.status === "live"`)
	browsertest.Get[bool](b, pendingCalls)

	type page struct {
		Name, Link string
		Samples    bool // the address holds an id
	}
	b.Until(`import("/assets/app.js").then((m) => !!(window.allPages = m.pages.map((p) => ({ name: p.name, link: p.link, samples: !p.path.test(p.link.slice(1)) }))))`)
	pages := browsertest.Get[[]page](b, `window.allPages`)
	if len(pages) < 5 {
		t.Fatalf("%d pages: %v", len(pages), pages)
	}
	samples := map[string]string{"Tweet": "#/tweets/" + row.String()}
	for _, p := range pages {
		at := p.Link
		if p.Samples {
			if at = samples[p.Name]; at == "" {
				t.Fatalf("the page %q needs a sample of its address in this test", p.Name)
			}
		}
		b.Do("go to "+p.Name, navigate(e.url+"/"+at))
		b.Until(`window.pendingCalls === 0 && document.querySelector("main h1") !== null`)
		browsertest.Get[int](b, `document.querySelectorAll("main details").forEach((d) => (d.open = true)), 0`)
		b.Until(`window.pendingCalls === 0`)
		if failed := browsertest.Get[bool](b, `[...document.querySelectorAll(".empty-title")].some((t) => t.textContent.includes("cannot be"))`); failed {
			t.Errorf("the page %s cannot be shown", p.Name)
		}
		name := strings.ToLower(strings.ReplaceAll(p.Name, " ", "-"))
		e.auditWidths(b, name)
		if p.Name == "Tweet" {
			for _, view := range []string{"indexed", "log"} {
				b.Click(`[data-key="` + view + `"]`)
				e.auditWidths(b, name+"-"+view)
			}
		}
	}
}

// auditWidths audits what the browser shows.
func (e *engine) auditWidths(b *browsertest.Browser, name string) {
	e.t.Helper()
	problems := make(map[string][]string)
	for _, width := range widths {
		b.Resize(width, 900)
		for _, theme := range []string{"light", "dark"} {
			b.Dark(theme == "dark")
			b.Until(fmt.Sprintf(`window.innerWidth === %d && new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`, width))
			for _, p := range browsertest.Get[[]string](b, audit) {
				problems[p] = append(problems[p], fmt.Sprintf("%d %s", width, theme))
			}
			if to := os.Getenv("GORGONE_TEST_PICTURES"); to != "" {
				b.Picture(filepath.Join(to, fmt.Sprintf("layout-%s-%d-%s.png", name, width, theme)))
			}
		}
	}
	for _, p := range slices.Sorted(maps.Keys(problems)) {
		e.t.Errorf("%s: %s (%s)", name, p, strings.Join(problems[p], ", "))
	}
}

// hardToShow fills the database with what fits the page least, and returns a tweet of
// it.
func (e *engine) hardToShow() uuid.UUID {
	e.t.Helper()
	ctx := e.t.Context()
	texts := []string{
		strings.Repeat("unbreakable", 25_000/11),
		strings.Repeat("Twenty-five thousand characters. ", 25_000/33),
		strings.Repeat("line\n", 5000),
		strings.Repeat("Z"+strings.Repeat("\u0301\u0353\u0310", 12)+"algo ", 8), // accents, stacked
		"مرحبا بالعالم " + strings.Repeat("هذا نص طويل ", 20),
		strings.Repeat("👩‍👩‍👧‍👦", 200),
		"https://example.com/" + strings.Repeat("path/", 400),
		"1", " ",
	}
	e.exec(`update zones set name = $1 where id = $2`, "A zone named "+strings.Repeat("Donaudampfschifffahrt", 6), e.zone)
	_, err := e.alerts.AddRule(ctx, alert.Rule{AlertRule: engagement.AlertRule{Kind: engagement.AlertCount, Metric: "likes", Threshold: 1_000_000_000}})
	testkit.Must(e.t, err)
	for n, text := range texts {
		row, id := e.row(n)
		e.exec(`update twitter_tweets set text = $2, raw_data = $3 where id = $1`, row, text,
			fmt.Sprintf(`{"author": {"id": "44196397", "name": %q, "userName": "a_name_of_15_ch"}}`, strings.Repeat("Ottokar ", 6)))
		for look := range int64(10) {
			e.observe(id, time.Duration(10-look)*3*time.Minute, 1_234_567_000-(9-look)*37_000_000)
		}
	}
	e.publishDead(e.nats.Connect(e.t), "batch", "t.batch.due", `{"tweets": ["`+strings.Repeat("1234567890", 300)+`"]}`)
	testkit.Must(e.t, pause.New(e.db, e.clock).Set(ctx, pause.Pause{Lane: pause.Batches, By: "ada@example.com", Reason: strings.Repeat("the-bill", 20)}))
	e.source.Breaker.Open(ctx, e.clock.Database(), engagement.CauseOutOfCredit, strings.Repeat("no credit is left; ", 10))
	row, _ := e.row(1)
	return row
}

// observe records likes of a tweet, some time ago, and other counts in proportion.
func (e *engine) observe(id string, ago time.Duration, likes int64) {
	e.t.Helper()
	at := e.clock.Now().Add(-ago)
	_, err := e.store.ApplyRefresh(e.t.Context(), []store.RefreshResult{{
		TweetID: id, RequestedAt: at, Kind: store.Found, Observation: engagement.Observation{At: at, Metrics: engagement.Metrics{
			Likes: engagement.Known(likes), Retweets: engagement.Known(likes / 8), Replies: engagement.Known(likes / 20), Quotes: engagement.Known(likes / 90),
			Bookmarks: engagement.Known(likes), Views: engagement.Known(likes + 900_000_000),
		}},
	}})
	testkit.Must(e.t, err)
}
