package worker_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/throttle"
	"gorgone/twitter/fakeprovider"
)

const (
	html = `<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>`

	neverWrong = `select count(*) from twitter_engagement_tracking where misses > 0 or gone_reason is not null or attempts > 0`
)

// instead is a way on which a node answers all calls.
func instead(status int, body string, header ...string) fakeprovider.Way {
	answer := fakeprovider.Instead{Status: status, Body: body, Header: map[string]string{}}
	for i := 0; i+1 < len(header); i += 2 {
		answer.Header[header[i]] = header[i+1]
	}
	return fakeprovider.Way{Instead: &answer}
}

// TestWhatHappensOnTheWayIsNoTweetsFault: whatever nodes between here and the provider make of
// its answers, no tweet is missed, called deleted or backs off for it; the log and the
// breaker, which doctor shows, say what it is; and when it is over, all are seen.
func TestWhatHappensOnTheWayIsNoTweetsFault(t *testing.T) {
	t.Parallel()
	distorted := func(d fakeprovider.Distortion) fakeprovider.Way { return fakeprovider.Way{Distortion: d} }
	for name, tc := range map[string]struct {
		way  fakeprovider.Way
		says string
	}{
		"deflate":               {distorted(fakeprovider.Deflated), "encoded as deflate"},
		"labelled br":           {distorted(fakeprovider.SaidBrotli), "encoded as br"},
		"labelled gzip":         {distorted(fakeprovider.SaidGzip), "gzip: invalid header"},
		"gzip without a label":  {distorted(fakeprovider.UnsaidGzip), "compressed and does not say so"},
		"half of the gzip":      {distorted(fakeprovider.CutGzip), "unexpected EOF"},
		"UTF-16":                {distorted(fakeprovider.UTF16), "malformed answer"},
		"garbage behind it":     {distorted(fakeprovider.Trailed), "malformed answer"},
		"a byte now and then":   {distorted(fakeprovider.Dripping), "no full answer within"},
		"no end":                {distorted(fakeprovider.Endless), "longer than"},
		"another protocol":      {distorted(fakeprovider.Upgraded), "another protocol"},
		"HTTP/2 GOAWAY":         {distorted(fakeprovider.HTTP2), "malformed HTTP"},
		"reset mid body":        {distorted(fakeprovider.ResetMidBody), "reset"},
		"headers without end":   {distorted(fakeprovider.EndlessHeaders), "headers exceeded"},
		"moved, 301":            {instead(301, "", "Location", "/v2/tweets"), "redirected"},
		"moved, 302 elsewhere":  {instead(302, "", "Location", "https://login.example/?next=x"), "redirected to https://login.example"},
		"moved, 307":            {instead(307, "", "Location", "http://api.example/"), "redirected to http://api.example"},
		"moved, 308":            {instead(308, "", "Location", "//api.example/"), "redirected"},
		"not modified":          {instead(304, ""), "status 304"},
		"no content":            {instead(204, ""), "status 204"},
		"partial content":       {instead(206, `{"tweets":[],"status":"success"}`), "status 206"},
		"nothing":               {instead(200, ""), "cut off"},
		"a page":                {instead(200, html, "Content-Type", "text/html"), "a node in front"},
		"a page as JSON":        {instead(200, html), "a node in front"},
		"a page, 404":           {instead(404, html, "Content-Type", "text/html"), "a node in front"},
		"a page, 502":           {instead(502, html, "Content-Type", "text/html"), "a node in front"},
		"proxy login":           {instead(407, html, "Content-Type", "text/html", "Proxy-Authenticate", "Basic"), "HTTPS_PROXY"},
		"legal reasons":         {instead(451, `{"detail":"Unavailable For Legal Reasons"}`), "Legal Reasons"},
		"too long, always":      {instead(413, html), "413"},
		"error object":          {instead(200, `{"tweets":[],"status":"success","error":{"code":500,"message":"upstream is down"}}`), "upstream is down"},
		"error in an error":     {instead(200, `{"error":{"error":{"message":"shard 7 failed"}},"tweets":[]}`), "shard 7 failed"},
		"list of errors":        {instead(200, `{"tweets":[],"errors":[{"message":"index is behind"}]}`), "index is behind"},
		"a gateway's fault":     {instead(200, `{"fault":{"faultstring":"Invocation failed"},"tweets":[]}`), "Invocation failed"},
		"no success":            {instead(200, `{"success":false,"tweets":[],"message":"try later"}`), "try later"},
		"status in the body":    {instead(200, `{"status":503,"tweets":[],"message":"in maintenance"}`), "in maintenance"},
		"errors in other words": {instead(200, `{"result":{"message":"nothing here"}}`), "nothing here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var timeout time.Duration
			if d := tc.way.Distortion; d == fakeprovider.Dripping || d == fakeprovider.Upgraded {
				timeout = time.Second
			}
			w := newWay(t, timeout)
			w.put(tc.way)
			w.awaitBreaker(w.watcher, throttle.BreakerOpen)
			w.unharmed()
			if s := w.watcher.Breaker.Status(); !strings.Contains(s.Reason, tc.says) || !strings.Contains(w.log.String(), tc.says) {
				t.Errorf("the breaker says %q, and the log:\n%.2000s", s.Reason, w.log)
			}
			w.healed()
		})
	}
}

// TestPaidAnswersOfNothingMissNoTweet: null in the place of tweets, and ids that a program
// with floating numbers has rounded. Each answer is paid for, so its tweets back off; none is
// missed, and the breaker opens.
func TestPaidAnswersOfNothingMissNoTweet(t *testing.T) {
	t.Parallel()
	for _, d := range []fakeprovider.Distortion{fakeprovider.NullTweets, fakeprovider.RoundedIDs} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			w := newWay(t, 0)
			w.put(fakeprovider.Way{Distortion: d})
			w.awaitBreaker(w.watcher, throttle.BreakerOpen)
			if s := w.watcher.Breaker.Status(); !strings.Contains(s.Reason, "cannot be used") || w.log.count("cannot be used") == 0 {
				t.Errorf("the breaker says %q, and the log:\n%.2000s", s.Reason, w.log)
			}
			if n := w.count(`select count(*) from twitter_engagement_tracking where misses > 0 or gone_reason is not null`); n != 0 {
				t.Errorf("%d tweets are missed or called deleted", n)
			}
			w.put(fakeprovider.Way{})
			w.healed()
		})
	}
}

// TestAnswersThatAreOnlyWrittenOddlyAreRead: their counts are written, once for each tweet.
func TestAnswersThatAreOnlyWrittenOddlyAreRead(t *testing.T) {
	t.Parallel()
	for _, d := range []fakeprovider.Distortion{
		fakeprovider.Gzipped, fakeprovider.PlainText, fakeprovider.SaidHTML, fakeprovider.Marked, fakeprovider.Doubled, fakeprovider.NumberIDs,
		fakeprovider.Hints, fakeprovider.ClosedUnsaid,
	} {
		t.Run(string(d), func(t *testing.T) {
			t.Parallel()
			w := newWay(t, 0)
			w.put(fakeprovider.Way{Distortion: d})
			w.eventually("tweets updated twice", `select count(*) from twitter_engagement_tracking where update_count = 2`, wayTweets)
			w.unharmed()
			if s := w.watcher.Breaker.Status(); s.Opens != 0 {
				t.Errorf("the breaker opened: %+v", s)
			}
		})
	}
}

// TestLimitsInWhateverWordsPauseAllWorkers: for a time that can be waited, and nothing else
// follows.
func TestLimitsInWhateverWordsPauseAllWorkers(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]fakeprovider.Way{
		"no headers":     instead(429, `{"message":"slow down"}`),
		"a date":         instead(429, "", "Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"),
		"negative":       instead(429, "", "Retry-After", "-120"),
		"huge":           instead(429, "", "Retry-After", "99999999999999999999"),
		"a page":         instead(429, html, "Content-Type", "text/html"),
		"text with 200":  instead(200, "Rate limit exceeded\n", "Content-Type", "text/plain"),
		"JSON with 200":  instead(200, `{"status":"error","msg":"Too Many Requests"}`),
		"error with 200": instead(200, `{"tweets":[],"error":{"message":"rate_limit_exceeded"}}`),
		"with 403":       instead(403, `{"error":"Rate limit exceeded"}`),
		"with 503":       instead(503, `{"message":"Too many requests"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWay(t, 0)
			w.put(way)
			var until time.Time
			poll(t, "calls pause", func() bool {
				at, _, paused := w.watcher.Limiter.Paused()
				until = at
				return paused
			})
			if left := until.Sub(w.clock.Database()); left > 20*time.Minute {
				t.Errorf("calls pause for %s", left)
			}
			poll(t, "the log says so", func() bool { return w.log.count("Rate limit exceeded: pausing all workers") > 0 })
			w.unharmed()
			if s := w.watcher.Breaker.Status(); s.Opens != 0 {
				t.Errorf("the breaker opened: %+v", s)
			}
			if name != "huge" {
				w.healed()
			}
		})
	}
}

// TestCallsTooLongForTheWayGetShorter: a node takes no URL for more than 10 tweets. All are
// seen, in calls that it takes.
func TestCallsTooLongForTheWayGetShorter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			w := newWay(t, 0)
			way := instead(status, html, "Content-Type", "text/html")
			way.LeastIDs = 11
			w.put(way)
			w.eventually("tweets updated twice", `select count(*) from twitter_engagement_tracking where update_count = 2`, wayTweets)
			w.unharmed()
			if s := w.watcher.Breaker.Status(); s.Opens != 0 {
				t.Errorf("the breaker opened: %+v", s)
			}
		})
	}
}

// TestANodeThatRefusesOneTweetHidesNoOther: a firewall dislikes an id, or a court a tweet.
func TestANodeThatRefusesOneTweetHidesNoOther(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]fakeprovider.Way{
		"legal reasons": instead(451, `{"detail":"Unavailable For Legal Reasons"}`),
		"a firewall":    instead(403, html, "Content-Type", "text/html"),
		"an error":      instead(200, `{"tweets":[],"error":{"message":"cannot serialize"}}`),
		"redirected":    instead(302, "", "Location", "https://blocked.example/"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWay(t, 0)
			way.IDs = w.ids[7:8]
			w.put(way)
			w.eventually("others updated twice", `select count(*) from twitter_engagement_tracking where update_count = 2 and attempts = 0`, wayTweets-1)
			w.eventually("it backs off", `select count(*) from twitter_engagement_tracking where update_count = 1 and attempts > 0 and misses = 0 and gone_reason is null`, 1)
		})
	}
}

// TestAKeyStaysWithItsHost: no call follows an answer that redirects.
func TestAKeyStaysWithItsHost(t *testing.T) {
	t.Parallel()
	called := make(chan http.Header, 100)
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.Header }))
	t.Cleanup(other.Close)
	w := newWay(t, 0)
	for _, status := range []int{301, 302, 303, 307, 308} {
		w.put(instead(status, "", "Location", other.URL+"/twitter/tweets"))
		poll(t, "a redirected call is logged", func() bool { return strings.Contains(w.log.String(), fmt.Sprintf("status %d", status)) })
	}
	w.stop()
	select {
	case header := <-called:
		t.Errorf("the host that answers redirect to was called with %v", header)
	default:
	}
}

const wayTweets = 40

// way is an engine whose tweets were all seen once, and whose provider can get something in
// its way.
type way struct {
	*engine

	ids     []string
	watcher throttle.Provider
	log     *lockedBuffer
	stop    func()
}

func newWay(t *testing.T, callTimeout time.Duration) *way {
	t.Helper()
	e := newEngine(t, engineOptions{tweets: wayTweets})
	w := &way{engine: e, ids: e.track(), log: new(lockedBuffer)}
	w.watcher = e.ground.Source(t, "watcher", "test", 0, breakerRest)
	w.stop = e.run(e.worker(workerOptions{callTimeout: callTimeout, log: w.log}))
	e.dispatch()
	e.eventually("tweets updated once", updatedOnce, wayTweets)
	return w
}

// put puts something in the way, and has all tweets looked up.
func (w *way) put(something fakeprovider.Way) {
	w.t.Helper()
	testkit.Must(w.t, w.double.Inject(fakeprovider.Injection{Way: &something}))
	_, err := w.store.ForceDue(w.t.Context(), store.DueFilter{})
	testkit.Must(w.t, err)
	w.dispatching(sourcesGate{throttle.Providers{w.watcher}})
}

// unharmed checks that no tweet was taken for the culprit.
func (w *way) unharmed() {
	w.t.Helper()
	if n := w.count(neverWrong); n != 0 {
		w.t.Errorf("%d tweets are missed, called deleted or back off", n)
	}
	d, err := w.queue.Depth(w.t.Context())
	testkit.Must(w.t, err)
	if d.DeadLetters != 0 {
		w.t.Errorf("%d dead letters", d.DeadLetters)
	}
}

// healed takes away what is in the way: all tweets are seen again.
func (w *way) healed() {
	w.t.Helper()
	testkit.Must(w.t, w.double.Inject(fakeprovider.Injection{Way: new(fakeprovider.Way)}))
	w.eventually("tweets updated again", `select count(*) from twitter_engagement_tracking where update_count > 1 and attempts = 0`, wayTweets)
}

// String is what was written, in the words that people read.
func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines strings.Builder
	for line := range strings.Lines(b.text.String()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil {
			lines.WriteString(strings.TrimSpace(toText(entry["message"])+": "+toText(entry["error"])) + "\n")
		}
	}
	return lines.String()
}

func toText(v any) string {
	s, _ := v.(string)
	return s
}
