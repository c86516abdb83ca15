package worker_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/throttle"
)

// rewritten puts a proxy before the fake provider that changes its answers.
func (e *engine) rewritten(change func(body string) string) {
	e.t.Helper()
	target, err := url.Parse(e.url)
	testkit.Must(e.t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(res *http.Response) error {
			body, err := io.ReadAll(res.Body)
			if err != nil {
				return err
			}
			changed := []byte(change(string(body)))
			res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(changed)), int64(len(changed))
			res.Header.Del("Content-Length")
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	e.t.Cleanup(server.Close)
	e.url = server.URL
}

// TestAnswersThatCannotBeUsedOpenTheBreaker: each of them is paid for.
func TestAnswersThatCannotBeUsedOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(string) string{
		"renamed counters": func(body string) string {
			return regexp.MustCompile(`"(\w+)Count":`).ReplaceAllString(body, `"${1}_count":`)
		},
		"other ids": func(body string) string { return strings.ReplaceAll(body, `"id":"`, `"id":"9`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 100})
			e.track()
			e.rewritten(change)
			watcher := e.ground.Source(t, "watcher", "test", 0, breakerRest)
			e.run(e.worker(workerOptions{}))
			for range 20 {
				_, err := e.store.ForceDue(t.Context(), store.DueFilter{})
				testkit.Must(t, err)
				e.dispatch()
				e.eventually("claimed rows", `select count(*) from twitter_engagement_tracking where claim_id is not null`, 0)
			}
			if n := e.double.Stats().Returned; n >= 1500 { // of 2,000; on a slow machine there are more trials
				t.Errorf("%d tweets were paid for and none written", n)
			}
			if state := watcher.Breaker.Status(); state.State == throttle.BreakerClosed || state.Cause != engagement.CauseOutage {
				t.Errorf("breaker %+v", state)
			}
			if n := e.count(`select count(*) from twitter_engagement_tracking where misses > 0`); n != 0 {
				t.Errorf("%d tweets were missed", n)
			}
		})
	}
}
