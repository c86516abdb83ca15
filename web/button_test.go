package web_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
)

// TestRefreshButton runs the web application's snippet of docs/http-api.md as it
// stands, in Node, behind a server that does what the application's does: it passes
// the routes on and adds the session's token.
func TestRefreshButton(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("Node.js is needed to run the web application's snippet: install it (Debian: apt-get install nodejs)")
	}
	page, err := os.ReadFile("../docs/http-api.md")
	testkit.Must(t, err)
	snippet := regexp.MustCompile("(?s)```js\n(.*?)```").FindStringSubmatch(string(page))
	if snippet == nil {
		t.Fatal("the snippet is not on the page")
	}
	e := newEngine(t, options{tweets: 2, workers: 1})
	row, id := e.row(0)
	_, session := e.user("operator", true)
	target, err := url.Parse(e.url)
	testkit.Must(t, err)
	app := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		if strings.HasPrefix(r.In.URL.Path, "/api/twitter/") {
			r.SetURL(target)
		}
		r.Out.Header.Set("Authorization", "Bearer "+session)
	}, ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }})
	t.Cleanup(app.Close)

	// What a browser adds: addresses are those of the page's site.
	const browser = `const site = process.argv[1], plain = fetch
globalThis.fetch = (path, init) => plain(new URL(path, site), init)
`
	press := func(id string) (out struct {
		Data  map[string]any
		Error string
	},
	) {
		t.Helper()
		script := browser + snippet[1] + `refreshTweet(process.argv[2]).then(data => ({data}), error => ({error: error.message})).then(out => console.log(JSON.stringify(out)))`
		cmd := exec.CommandContext(t.Context(), node, "-e", script, app.URL, id)
		cmd.Stderr = os.Stderr
		answer, err := cmd.Output()
		testkit.Must(t, err)
		testkit.Must(t, json.Unmarshal(answer, &out))
		return out
	}
	first := press(row.String())
	if first.Error != "" || first.Data["id"] != row.String() || first.Data["tweet_id"] != id || first.Data["twitter_tweet_id"] != id || first.Data["snapshot_created"] != true {
		t.Errorf("%+v", first)
	}
	for _, name := range []string{"metrics", "tier_updated", "tier", "next_update_at", "snapshot_at"} {
		if _, there := first.Data[name]; !there {
			t.Errorf("%s is missing: %+v", name, first.Data)
		}
	}
	if metrics, _ := first.Data["metrics"].(map[string]any); metrics["like_count"] == nil || metrics["retweet_count"] == nil || metrics["view_count"] == nil {
		t.Errorf("metrics: %+v", metrics)
	}
	if again := press(row.String()); again.Error != "" || again.Data["id"] != row.String() {
		t.Errorf("pressed again: %+v", again)
	}
	if n := e.double.Stats().Calls; n != 1 {
		t.Errorf("%d calls", n)
	}
	if unknown := press(uuid.NewString()); unknown.Error != "there is no such tweet" {
		t.Errorf("an unknown tweet: %+v", unknown)
	}
}
