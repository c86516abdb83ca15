//go:build browser

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorgone/internal/browsertest"
)

// picturesVariable names a folder to which pictures of the pages are saved; those
// in docs are made so, see docs/dashboard.md.
const picturesVariable = "GORGONE_TEST_PICTURES"

// TestDashboardOfUp signs in to a demonstration by the link that it prints, and
// looks at every page.
func TestDashboardOfUp(t *testing.T) {
	t.Parallel()
	pictures := os.Getenv(picturesVariable)
	picture := func(b *browsertest.Browser, name string) {
		if pictures != "" {
			b.Picture(filepath.Join(pictures, "dashboard-"+name+".png"))
		}
	}
	dir := madeDir(t)
	u := startUp(t, dir, "--tweets", "300", "--speed", "60", "--listen", "127.0.0.1:0")
	u.until("tweets were looked up", func(s stats) bool { return s.Total > 100 })
	link := strings.TrimSpace(u.run("dashboard"))

	b := browsertest.New(t, 1280, 900)
	b.Dark(false)
	b.Open(link)
	b.Until(`document.querySelector(".live")?.dataset.status === "live"`)
	b.Until(`document.querySelectorAll(".feed a").length >= 3`)
	b.Until(`[...document.querySelectorAll(".feed a")].some((a) => !/^Tweet \d+$/.test(a.textContent))`)
	b.Until(`[...document.querySelectorAll(".tier-count")].length === 4`)
	if hash := browsertest.Get[string](b, `location.hash`); hash != "#/" {
		t.Errorf("the code is still in the address: %s", hash)
	}
	if roles := browsertest.Get[string](b, `document.querySelector("tbody").textContent`); !strings.Contains(roles, "dispatcher, worker, web") {
		t.Errorf("processes: %s", roles)
	}
	b.Until(`document.querySelectorAll(".feed a").length >= 8`)
	picture(b, "overview")

	b.Click(`nav a[href="#/tweets"]`)
	b.Until(`document.querySelectorAll("tr[data-tweet]").length === 50`)
	b.Until(`document.querySelectorAll(".spark-line").length > 10`)
	picture(b, "tweets")
	b.Click(`.pager a:nth-of-type(1)`)
	b.Until(`document.querySelector("[role=status].muted").textContent.startsWith("51")`)
	b.Click(`nav a[href="#/tweets"]`)
	b.Until(`document.querySelector("[role=status].muted").textContent.startsWith("1–")`)
	b.Click(`.tweet-link`)
	b.Until(`document.querySelectorAll(".multiples .uplot canvas").length === 6`)
	picture(b, "tweet")
	tweet := browsertest.Get[string](b, `location.hash`)

	for link, title := range map[string]string{"#/alerts": "Alerts", "#/dead-letters": "Dead letters"} {
		b.Click(`nav a[href="` + link + `"]`)
		b.Until(`document.querySelector("h1").textContent === "` + title + `" && document.querySelector(".empty") !== null`)
	}
	if pictures != "" {
		eachPage(b, filepath.Join(pictures, "pages"), tweet)
	}
	b.Dark(true)
	b.Click(`.brand`)
	b.Until(`document.querySelectorAll(".feed a").length >= 1 && document.querySelector(".number").textContent !== ""`)
	if colour := browsertest.Get[string](b, `getComputedStyle(document.body).backgroundColor`); colour != "rgb(15, 18, 24)" {
		t.Errorf("dark is %s", colour)
	}
	picture(b, "overview-dark")
	b.Resize(390, 844)
	b.Click(`nav a[href="#/tweets"]`)
	b.Until(`document.querySelectorAll(".spark-line").length > 10`)
	if wide := browsertest.Get[int](b, `document.documentElement.scrollWidth`); wide > 390 {
		t.Errorf("a narrow page is %d pixels wide", wide)
	}
	picture(b, "tweets-narrow")
	b.Click(`[aria-label="Sign out"]`)
	b.Until(`document.querySelector(".login") !== null`)
}

// eachPage takes a picture of every page at three widths.
func eachPage(b *browsertest.Browser, folder, tweet string) {
	type page struct{ Name, Link string }
	b.Until(`import("/assets/app.js").then((m) => !!(window.allPages = m.pages.map((p) => ({ name: p.name, link: p.link }))))`)
	for _, p := range browsertest.Get[[]page](b, `window.allPages`) {
		if p.Name == "Tweet" {
			p.Link = tweet
		}
		b.Open(browsertest.Get[string](b, `location.origin`) + "/" + p.Link)
		b.Until(`document.querySelector("main h1") !== null && document.querySelector(".live")?.dataset.status === "live"`)
		for _, width := range []int64{390, 768, 1280} {
			b.Resize(width, 900)
			b.Until(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))`)
			b.Picture(filepath.Join(folder, fmt.Sprintf("%s-%d.png", strings.ToLower(strings.ReplaceAll(p.Name, " ", "-")), width)))
		}
	}
	b.Resize(1280, 900)
}
