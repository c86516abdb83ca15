//go:build browser

package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"gorgone/internal/browsertest"
	"gorgone/internal/testkit"
	"gorgone/store"
)

// signIn pastes a token into the login page.
func (e *engine) signIn(b *browsertest.Browser, token string) {
	e.t.Helper()
	b.Open(e.url)
	b.Type(`input[name="token"]`, token+kb.Enter)
	b.Until(`document.querySelector("nav") !== null`)
}

const total = `document.querySelector('[data-figure="like_count"] .number')?.textContent`

// TestPageOfATweet presses the button, and sees the new numbers; then others look
// the tweet up, and the numbers come by themselves.
func TestPageOfATweet(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3, workers: 1})
	row, _ := e.row(0)
	e.exec(`update twitter_tweets set text = $2 where id = $1`, row, `<img src=x onerror="document.title='broken in'"><script>alert(1)</script>`)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Do("go to the tweet", navigate(e.url+"/#/tweets/"+row.String()))
	b.Until(total + ` === "–"`)
	b.Click(`.refresh`)
	b.Until(`document.querySelector(".refresh").getAttribute("aria-busy") === null && document.querySelector(".toast.good") !== null`)
	b.Until(total + ` !== "–"`)
	if got, want := browsertest.Get[string](b, total), e.count(`select like_count from twitter_tweets where id = $1`, row); strings.ReplaceAll(got, ",", "") != fmt.Sprint(want) {
		t.Errorf("the page shows %s likes, the database has %d", got, want)
	}
	if title := browsertest.Get[string](b, `document.title`); strings.Contains(title, "broken") {
		t.Error("a tweet's text became markup")
	}
	if shown := browsertest.Get[string](b, `document.querySelector(".tweet-text").textContent`); !strings.Contains(shown, "<img src=x") {
		t.Errorf("the text is shown as %q", shown)
	}
	// Another process looks it up.
	b.Until(`document.querySelector(".live").dataset.status === "live"`)
	before := browsertest.Get[string](b, `document.querySelectorAll("time.ago")[1].getAttribute("datetime")`)
	e.ok(200, "POST", refreshPath(row)+"?force=true", e.service, "")
	b.Until(fmt.Sprintf(`[...document.querySelectorAll('[data-figure="updated"] time')].some((t) => t.getAttribute("datetime") !== %q)`, before))

	// By keys alone: along the curve, and to another page.
	b.Do("focus the chart", focus(".chart"))
	b.Press(kb.ArrowRight)
	b.Until(`document.querySelector(".chart-wrap .visually-hidden").textContent.includes("Likes")`)
	b.Do("focus the menu", focus(`nav a[href="#/tweets"]`))
	b.Press(kb.Enter)
	b.Until(`document.querySelectorAll("tr[data-tweet]").length === 3`)
	b.Do("focus the search", focus(`input[type="search"]`))
	b.Press("onerror" + kb.Enter)
	b.Until(`document.querySelectorAll("tr[data-tweet]").length === 1`)
}

// TestPageOfAnotherZone: who may not enter a zone sees nothing of it, here either.
func TestPageOfAnotherZone(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 3})
	row, _ := e.row(0)
	client := e.newClient()
	_, err := e.store.CreateZone(t.Context(), store.Zone{Name: "theirs", ClientID: client})
	testkit.Must(t, err)
	token := e.userOf("manager", client)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, token)
	b.Do("go to the tweets", navigate(e.url+"/#/tweets"))
	b.Until(`document.querySelector(".empty-title")?.textContent === "Nothing is tracked yet"`)
	if zones := browsertest.Get[string](b, `document.querySelector('select[name="zone"]').textContent`); zones != "All zonestheirs" {
		t.Errorf("zones to choose from: %s", zones)
	}
	if links := browsertest.Get[string](b, `document.querySelector("nav").textContent`); strings.Contains(links, "Dead") {
		t.Errorf("the menu has %s", links)
	}
	b.Do("go to a tweet of another zone", navigate(e.url+"/#/tweets/"+row.String()))
	b.Until(`document.querySelector(".empty-title")?.textContent === "Tweet not found"`)
	b.Forgive("404")

	stranger := browsertest.New(t, 1280, 900)
	stranger.Open(e.url)
	stranger.Type(`input[name="token"]`, "a-token-that-no-one-ever-made-for-anything"+kb.Enter)
	stranger.Until(`document.querySelector(".fault").textContent !== ""`)
	stranger.Forgive("401")
}

// TestPageOfDeadLetters retries one and drops one.
func TestPageOfDeadLetters(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1})
	nc := e.nats.Connect(t)
	e.publishDead(nc, "batch", "t.batch.due", "not json")
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Click(`nav a[href="#/dead-letters"]`)
	b.Until(`document.querySelectorAll(".letter").length === 1`)
	b.Click(`summary`)
	b.Until(`document.querySelector(".payload").textContent === "not json"`)
	b.Click(`.danger`)
	b.Until(`document.querySelector(".danger").textContent === "Drop it for good?"`)
	b.Click(`.danger`)
	b.Until(`document.querySelector(".empty-title")?.textContent === "None"`)
}
