//go:build browser

package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/browsertest"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/web"
)

// savedFile is what the page saved last.
const savedFile = `(() => {
	const make = URL.createObjectURL;
	URL.createObjectURL = (blob) => {
		window.savedType = blob.type;
		blob.text().then((text) => (window.saved = text));
		return make.call(URL, blob);
	};
	return true;
})()`

// TestPageOfATweetTellsOneStory: cards, charts, table and file show the same counts, also
// when the last look-up came too soon for a snapshot, in each range and zoom.
func TestPageOfATweetTellsOneStory(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	begun := e.clock.Now().Add(-2*time.Hour - time.Minute)
	id := engagement.TweetIDAt(begun, 1)
	tracked, err := e.store.Track(t.Context(), e.zone, []store.NewTweet{{TweetID: id, CreatedAt: begun, Text: "seen often"}})
	testkit.Must(t, err)
	row := tracked[0].Row
	look := func(at time.Time, likes int64) {
		t.Helper()
		_, err := e.store.ApplyRefresh(t.Context(), []store.RefreshResult{{TweetID: id, RequestedAt: at, Kind: store.Found, Observation: engagement.Observation{
			At: at, Metrics: engagement.Metrics{Likes: engagement.Known(likes), Retweets: engagement.Known(1), Replies: engagement.Known(1), Quotes: engagement.Known(0)},
		}}})
		testkit.Must(t, err)
	}
	for n := range 12 {
		look(begun.Add(time.Duration(n+1)*10*time.Minute), int64(10*n)) // 0, 10, … 110
	}
	look(begun.Add(2*time.Hour+30*time.Second), 594)
	if stored := e.count(`select max(like_count) from twitter_engagement_history where tweet_id = $1`, row); stored >= 594 {
		t.Fatalf("the last look-up has a snapshot, of %d likes", stored)
	}
	e.exec(`update twitter_tweets set raw_data = '{"author": {"name": "Ada <b>", "userName": "ada_l"}}' where id = $1`, row)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	browsertest.Get[bool](b, savedFile)
	b.Do("go to the tweet, by the platform's id", navigate(e.url+"/#/tweets/"+id))
	b.Until(total + ` === "594"`)

	text := func(selector string) string {
		return browsertest.Get[string](b, `document.querySelector('`+selector+`')?.textContent ?? "none"`)
	}
	for selector, want := range map[string]string{
		`.pinned tbody tr td:nth-child(2)`: "594 +484",
		`[data-figure="like_count"] .note`: "+594 since the first look-up",
		`.byline`:                          "Ada <b>@ada_l",
		`.crumbs [data-zone]`:              "test",
	} {
		if got := text(selector); got != want {
			t.Errorf("%s shows %q, want %q", selector, got, want)
		}
	}
	if link := browsertest.Get[string](b, `document.querySelector(".tweet-head p.muted a").href`); link != "https://x.com/ada_l/status/"+id {
		t.Errorf("the tweet's link is %s", link)
	}
	b.Click(`[data-key="log"]`)
	b.Until(`document.querySelector('[data-line="like_count"] .legend-value')?.textContent === "594"`)
	b.Click(`[data-key="1h"]`)
	b.Until(`document.querySelectorAll(".pinned tbody tr").length === 7`) // six snapshots of the hour, and the look-up
	if got := text(`[data-figure="like_count"] .note`); got != "+544 in 1 h" {
		t.Errorf("the change in an hour is %q, of 594 and 50", got)
	}
	if at := browsertest.Get[string](b, `location.hash`); at != "#/tweets/"+id+"?range=1h&view=log" {
		t.Errorf("the address is %s", at)
	}

	b.Click(`[title="Save what is shown as a table"]`)
	b.Until(`window.saved !== undefined`)
	lines := strings.Split(strings.TrimSpace(browsertest.Get[string](b, `window.saved`)), "\n")
	served := strings.Split(string(e.ok(200, "GET", "/api/twitter/engagement/"+id+".csv", e.service, "").body), "\n")
	if lines[0] != served[0] || len(lines) != 8 || !strings.Contains(lines[7], ",594,") || !strings.Contains(lines[7], ",484,") {
		t.Errorf("the file, whose columns are to be those of the server:\n%s\nthe server's:\n%s", strings.Join(lines, "\n"), served[0])
	}
	if lines[1] != served[7] {
		t.Errorf("the file has\n%s\nthe server has\n%s", lines[1], served[7])
	}
	b.Click(`[title="Save what is shown as a picture"]`)
	b.Until(`window.savedType === "image/png"`)

	// Drawn over: the middle of the chart.
	b.Do("scroll", chromedp.ScrollIntoView(`.u-over`, chromedp.ByQuery))
	type point struct{ X, Y float64 }
	mid := browsertest.Get[point](b, `(() => { const r = document.querySelector(".u-over").getBoundingClientRect(); return { x: r.left + r.width / 2, y: r.top + r.height / 2 }; })()`)
	b.Do("draw over the chart",
		chromedp.MouseEvent(input.MouseMoved, mid.X-100, mid.Y), chromedp.MouseEvent(input.MousePressed, mid.X-100, mid.Y, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.MouseMoved, mid.X+100, mid.Y, chromedp.ButtonLeft), chromedp.MouseEvent(input.MouseReleased, mid.X+100, mid.Y, chromedp.ButtonLeft))
	b.Until(`document.querySelectorAll(".pinned tbody tr").length < 7`)
	b.Click(`[title="Show the whole range"]`)
	b.Until(`document.querySelectorAll(".pinned tbody tr").length === 7`)
}

// TestPageOfAnUncalibratedForecast: the page marks a forecast whose interval was not learnt on
// tweets of the zone, and no other.
func TestPageOfAnUncalibratedForecast(t *testing.T) {
	t.Parallel()
	forecasts := &struct{ web.Tweets }{} // set below, before anything is asked
	e := newEngine(t, options{parts: func(p *web.Parts) { p.Tweets = forecasts }})
	s := store.New(e.db, e.clock, store.Options{Forecast: true})
	forecasts.Tweets = s
	other, err := e.store.CreateZone(t.Context(), store.Zone{Name: "new", ClientID: e.client})
	testkit.Must(t, err)
	learnt := engagement.DefaultModel()
	for h := range learnt.Bands {
		for age := range learnt.Bands[h] {
			for count := range learnt.Bands[h][age] {
				learnt.Bands[h][age][count] = engagement.Band{Low: -0.1, High: 0.1}
			}
		}
	}
	testkit.Must(t, s.SaveModel(t.Context(), e.zone, learnt, 100))
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	begun := e.clock.Now().Add(-2 * time.Hour)
	for zone, want := range map[uuid.UUID]string{
		e.zone: "Dotted: forecast with its 80% range.",
		other.ID: "Dotted: forecast with its range, which is uncalibrated: " +
			"it was not learnt on tweets of this zone, and may hold far less than 80% of what comes.",
	} {
		id := engagement.TweetIDAt(begun, int64(zone[0]))
		tracked, err := s.Track(t.Context(), zone, []store.NewTweet{{TweetID: id, CreatedAt: begun, Text: "foretold"}})
		testkit.Must(t, err)
		for n := range int64(3) {
			at := begun.Add(time.Duration(n+1) * 30 * time.Minute)
			_, err := s.ApplyRefresh(t.Context(), []store.RefreshResult{{TweetID: id, RequestedAt: at, Kind: store.Found, Observation: engagement.Observation{
				At: at, Metrics: engagement.Metrics{Likes: engagement.Known(50 * (n + 1))},
			}}})
			testkit.Must(t, err)
		}
		b.Do("go to the tweet", navigate(e.url+"/#/tweets/"+tracked[0].Row.String()))
		b.Until(`document.querySelector("[data-forecast-note]")?.hidden === false`)
		if got := browsertest.Get[string](b, `document.querySelector("[data-forecast-note]").textContent`); got != want {
			t.Errorf("the page says %q, want %q", got, want)
		}
	}
}

// TestPageAxes: one unit an axis, seconds only below minutes, no years for one moment, a
// third at most for the forecast; singular and plural; times that have come.
func TestPageAxes(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	b := browsertest.New(t, 800, 600)
	e.signIn(b, e.service)
	for expression, want := range map[string]string{
		`import("/assets/axis.js").then((m) => m.valueLabels(false, "")(null, [0, 5000, 10000, 15000]).join())`:                                                                                  "0,5K,10K,15K",
		`import("/assets/axis.js").then((m) => m.valueLabels(false, "")(null, [999000, 999500, 1000000]).join())`:                                                                                "0.999M,1M,1M",
		`import("/assets/axis.js").then((m) => m.valueLabels(false, "")(null, [0, 2, 4]).join())`:                                                                                                "0,2,4",
		`import("/assets/axis.js").then((m) => m.timeSteps(null, 0, 0, 7200).filter((s) => s < 60).length + "")`:                                                                                 "0",
		`import("/assets/axis.js").then((m) => /^[0-9:]{5}( [AP]M)?\n/.test(m.timeLabels(null, [1e9, 1e9 + 300], 0, 0, 300)[0]) + "")`:                                                           "true",
		`import("/assets/axis.js").then((m) => /20/.test(m.timeLabels(null, [1e9, 1e9 + 86400], 0, 0, 86400)[0]) + "")`:                                                                          "false",
		`import("/assets/forecast.js").then((m) => JSON.stringify(m.fairly([{ at: 4000, counts: { likes: { mean: 30, low: 20, high: 40 } } }], [0, 1000], { likes: 10 })))`:                      `[{"at":1500,"counts":{"likes":{"mean":13.333333333333334,"low":11.666666666666666,"high":15}}}]`,
		`import("/assets/format.js").then((m) => [m.plural(1, "engagement"), m.plural(0, "engagement"), m.plural(2, "reply", "replies")].join())`:                                                "1 engagement,0 engagements,2 replies",
		`import("/assets/clock.js").then((m) => [-42, 300].map((s) => m.ahead(new Date(m.engineNow() + s * 1000).toISOString(), { past: "due now" }).textContent).join())`:                       "due now,in 5 min",
		`import("/assets/dom.js").then((m) => { for (const text of "abcdefg") m.toast(text); m.toast("g"); return [...document.querySelectorAll(".toast")].map((t) => t.textContent).join(); })`: "e,f,g (2 times)",
	} {
		b.Until(`(window.answer = undefined, ` + expression + `.then((v) => (window.answer = v) !== undefined))`)
		if got := browsertest.Get[string](b, `window.answer`); got != want {
			t.Errorf("%s is %q, want %q", expression, got, want)
		}
	}
}
