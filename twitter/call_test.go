package twitter_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

func TestContextEnds(t *testing.T) {
	t.Parallel()
	arrived := make(arrivals, 1)
	server, baseURL, ids := provider(t, fakeprovider.Config{Log: arrived})
	if err := server.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.Hang, Next: 1}}}); err != nil {
		t.Fatal(err)
	}
	shutdown := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	calls := make(chan twitter.Call, 1)
	c := twitterAPI(t, twitter.Config{BaseURL: baseURL, OnCall: func(c twitter.Call) { calls <- c }})
	ended := make(chan error, 1)
	go func() {
		_, err := c.Lookup(ctx, ids[:10])
		ended <- err
	}()
	<-arrived
	cancel(shutdown)
	if err := <-ended; !errors.Is(err, shutdown) || errors.Is(err, twitter.ErrProviderFault) || twitter.Retryable(err) {
		t.Errorf("ended with %v", err)
	}
	if call := <-calls; call.Kind != twitter.KindCanceled || call.Status != 0 {
		t.Errorf("call %+v", call)
	}
	ctx, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	if _, err := c.Lookup(ctx, ids[:10]); !errors.Is(err, context.DeadlineExceeded) || twitter.Kind(err) != twitter.KindCanceled {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// TestTimeoutIsTheProvidersFault checks that a call's own time-out is not taken for
// the end of the caller's context.
func TestTimeoutIsTheProvidersFault(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{})
	// Long enough for a call to be on its way on a busy machine: one that is not loses nothing.
	config := twitter.Config{BaseURL: baseURL, Timeout: time.Second}
	for _, fault := range []fakeprovider.Fault{fakeprovider.Hang, fakeprovider.SlowBody} {
		for name, lookup := range map[string]func(context.Context, []string) (twitter.Answer, error){
			twitter.TwitterAPIName: twitterAPI(t, config).Lookup, twitter.XAPIName: xAPI(t, config).Lookup, twitter.SocialDataName: socialData(t, config).Lookup,
		} {
			if err := server.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fault, Next: 1}}}); err != nil {
				t.Fatal(err)
			}
			a, err := lookup(t.Context(), ids[:10])
			if !errors.Is(err, twitter.ErrProviderFault) || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "within 1s") || a.Lost != 10 {
				t.Errorf("%s, %s: %d lost, %v", name, fault, a.Lost, err)
			}
			if want := map[bool]int{true: 10}[name == twitter.XAPIName]; len(a.LostReads) != want {
				t.Errorf("%s, %s: %d of them are charged for once a day, want %d", name, fault, len(a.LostReads), want)
			}
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	config := twitter.Config{BaseURL: closed.URL}
	for _, lookup := range []func(context.Context, []string) (twitter.Answer, error){xAPI(t, config).Lookup, socialData(t, config).Lookup} {
		a, err := lookup(t.Context(), []string{"20"})
		if !errors.Is(err, twitter.ErrProviderFault) || len(a.Unresolved) != 1 || a.Calls != 1 || a.Lost != 0 {
			t.Errorf("%+v, %v", a, err)
		}
		if err != nil && (strings.Contains(err.Error(), "ids=") || strings.Contains(err.Error(), closed.URL)) {
			t.Errorf("the URL is in %q", err)
		}
	}
}

// TestKeyStaysSecret lets servers send the key back in every place there is.
func TestKeyStaysSecret(t *testing.T) {
	t.Parallel()
	other := handler(t, func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with headers %v", r.Header)
	})
	for name, answer := range map[string]http.HandlerFunc{
		"refusal": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"detail":"who is `+key+`?"}`, http.StatusBadRequest)
		},
		"status": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"status":"error","msg":"key `+key+` is odd"}`)
		},
		"syntax": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, key) },
		"problem": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"errors":[{"resource_id":"20","title":"`+key+`","type":"a/`+key+`"}],"meta":{}}`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other+"/?key="+key, http.StatusFound)
		},
	} {
		for _, client := range []interface {
			Probe(ctx context.Context, ids []string) twitter.ProbeResult
		}{twitterAPI(t, twitter.Config{BaseURL: handler(t, answer)}), xAPI(t, twitter.Config{BaseURL: handler(t, answer)}), socialData(t, twitter.Config{BaseURL: handler(t, answer)})} {
			result := client.Probe(t.Context(), []string{"20"})
			if shown := fmt.Sprintf("%+v %s", result, result.Body); strings.Contains(shown, key) {
				t.Errorf("%s: %s shows the key: %s", name, result.Provider, shown)
			}
			if len(result.Answer.Unresolved) != 1 {
				t.Errorf("%s: %s: %+v", name, result.Provider, result.Answer)
			}
		}
	}
	for _, config := range []twitter.Config{{Key: key + "\n"}, {Key: key, BaseURL: "http://" + key + "@x"}, {Key: key, BaseURL: "http://x/\x7f" + key}} {
		if _, err := twitter.NewTwitterAPI(config); err == nil || strings.Contains(err.Error(), key) {
			t.Errorf("%v", err)
		}
	}
}

// TestRequestOnTheWire looks at the bytes that are sent.
func TestRequestOnTheWire(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	sent := make(chan string, 3)
	go func() {
		for range 3 {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 4096)
			n, _ := conn.Read(buf)
			_, _ = io.WriteString(conn, "HTTP/1.1 503 Down\r\nConnection: close\r\n\r\n")
			_ = conn.Close()
			sent <- string(buf[:n])
		}
	}()
	config := twitter.Config{BaseURL: "http://" + listener.Addr().String()}
	for _, c := range []struct {
		lookup func(context.Context, []string) (twitter.Answer, error)
		want   []string
	}{
		{twitterAPI(t, config).Lookup, []string{"GET /twitter/tweets?tweet_ids=20,21 HTTP/1.1", "X-Api-Key: " + key}},
		{xAPI(t, config).Lookup, []string{"GET /2/tweets?ids=20,21&tweet.fields=public_metrics,created_at HTTP/1.1", "Authorization: Bearer " + key}},
		{socialData(t, config).Lookup, []string{"POST /twitter/tweets-by-ids HTTP/1.1", "Authorization: Bearer " + key, "Content-Type: application/json", "Content-Length: 19", `{"ids":["20","21"]}`}},
	} {
		if _, err := c.lookup(t.Context(), []string{"20", "21"}); !errors.Is(err, twitter.ErrProviderFault) {
			t.Fatal(err)
		}
		lines := strings.Split(<-sent, "\r\n")
		want := append(c.want, "Host: "+listener.Addr().String(), "Accept: application/json", "Accept-Encoding: gzip", "User-Agent: gorgone", "", "")
		if strings.HasPrefix(c.want[0], "POST") {
			want = want[:len(want)-1] // the body is in place of what follows the last line
		}
		slices.Sort(lines)
		slices.Sort(want)
		if !slices.Equal(lines, want) {
			t.Errorf("sent %q, want %q", lines, want)
		}
	}
}

func TestBigAndZippedAnswers(t *testing.T) {
	t.Parallel()
	tooMuch := `{"status":"success","tweets":[],"data":[],"pad":"` + strings.Repeat("x", 8<<20) + `"}`
	var zipped bytes.Buffer
	z, err := gzip.NewWriterLevel(&zipped, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(z, tooMuch); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"plain": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tooMuch) },
		"zipped": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped.Bytes())
		},
	} {
		config := twitter.Config{BaseURL: handler(t, answer), Timeout: time.Minute}
		for _, lookup := range []func(context.Context, []string) (twitter.Answer, error){twitterAPI(t, config).Lookup, xAPI(t, config).Lookup, socialData(t, config).Lookup} {
			if _, err := lookup(t.Context(), []string{"20"}); !errors.Is(err, twitter.ErrMalformed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}

	small := handler(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"tweets":[{"id":"20","retweetCount":1,"likeCount":2,"replyCount":3,"quoteCount":4}]}`)
		_ = z.Close()
	})
	if a, err := twitterAPI(t, twitter.Config{BaseURL: small}).Lookup(t.Context(), []string{"20"}); err != nil || len(a.Found) != 1 {
		t.Errorf("small and zipped: %+v, %v", a, err)
	}
}

func TestOnCall(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{})
	var calls []twitter.Call
	c := twitterAPI(t, twitter.Config{BaseURL: baseURL, OnCall: func(c twitter.Call) { calls = append(calls, c) }})
	if err := server.Inject(fakeprovider.Injection{
		Tweets: []fakeprovider.TweetInjection{{Fault: fakeprovider.Deleted, IDs: ids[:1]}},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Lookup(t.Context(), ids[:50]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Balance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := server.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{
		{Fault: fakeprovider.RateLimited, Next: 1}, {Fault: fakeprovider.Reset, Next: 1},
	}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.Lookup(t.Context(), ids[:3]); err == nil {
			t.Fatal("no error")
		}
	}
	want := []twitter.Call{
		{Provider: "twitterapi.io", Kind: twitter.KindOK, Status: 200, IDs: 50, Returned: 49, Billed: 49},
		{Provider: "twitterapi.io", Kind: twitter.KindOK, Status: 200},
		{Provider: "twitterapi.io", Kind: twitter.KindRateLimited, Status: 429, IDs: 3},
		{Provider: "twitterapi.io", Kind: twitter.KindFault, IDs: 3},
	}
	for i := range calls {
		if calls[i].Duration <= 0 {
			t.Errorf("call %d took %s", i, calls[i].Duration)
		}
		calls[i].Duration = 0
	}
	if !slices.Equal(calls, want) {
		t.Errorf("calls %+v", calls)
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := provider(t, fakeprovider.Config{Rate: 1, Burst: 1})
	x := xAPI(t, twitter.Config{BaseURL: baseURL, Now: noon})
	r := x.Probe(t.Context(), []string{ids[0], "17"})
	if r.Err != nil || r.Provider != "x" || r.Status != 200 || len(r.Answer.Found) != 1 || len(r.Answer.Missing) != 1 || r.Duration <= 0 {
		t.Errorf("%+v", r)
	}
	if !strings.HasPrefix(string(r.Body), `{"data":[{"id":"`+ids[0]) || r.Header.Get("X-Rate-Limit-Limit") != "2" || r.Header.Get("Content-Type") == "" {
		t.Errorf("%v %.60s", r.Header, r.Body)
	}
	a := twitterAPI(t, twitter.Config{BaseURL: baseURL})
	if r := a.Probe(t.Context(), ids[:50]); r.Err != nil || len(r.Body) != 64<<10 || len(r.Answer.Found) != 50 {
		t.Errorf("%d bytes, %v", len(r.Body), r.Err)
	}
	if r := a.Probe(t.Context(), ids[:1]); r.Status != 429 || !strings.Contains(string(r.Body), "Too Many Requests") || len(r.Answer.Unresolved) != 1 {
		t.Errorf("refused: %+v", r)
	}
	for _, ids := range [][]string{nil, {"x"}, ids[:51]} {
		if r := a.Probe(t.Context(), ids); r.Err == nil || r.Status != 0 {
			t.Errorf("%d ids: %+v", len(ids), r)
		}
	}
	if n := server.Stats().Calls; n != 3 {
		t.Errorf("%d calls", n)
	}
}

func TestBalance(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]int64{
		`{"recharge_credits":70,"total_bonus_credits":5}`: 75,
		`{"recharge_credits":0}`:                          0,
		`{"total_bonus_credits":5}`:                       -1,
		`{"recharge_credits":"many"}`:                     -1,
		`[]`:                                              -1,
	} {
		c := twitterAPI(t, twitter.Config{BaseURL: handler(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/oapi/my/info" || r.Header.Get("X-API-Key") != key {
				t.Errorf("asked %s with %v", r.URL, r.Header)
			}
			fmt.Fprint(w, body)
		})})
		credits, err := c.Balance(t.Context())
		if want < 0 {
			if !errors.Is(err, twitter.ErrMalformed) {
				t.Errorf("%s: %v", body, err)
			}
		} else if err != nil || credits.Left != want {
			t.Errorf("%s: %+v, %v", body, credits, err)
		}
	}
	paused := errors.New("paused")
	c := twitterAPI(t, twitter.Config{}).Through(&gate{limit: -1})
	c = c.Through(gateFunc(func() error { return paused }))
	if _, err := c.Balance(t.Context()); !errors.Is(err, paused) {
		t.Errorf("through a closed gate: %v", err)
	}
}

// TestLongCallsGetShorter: a node on the way takes no URL for more than 12 tweets. That is
// learnt, and an hour later one longer call is tried; and when no call is short enough, it is not
// the number of tweets.
func TestLongCallsGetShorter(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusRequestHeaderFieldsTooLarge} {
		server, baseURL, ids := provider(t, fakeprovider.Config{})
		now := noon()
		config := twitter.Config{BaseURL: baseURL, Now: func() time.Time { return now }}
		for _, c := range []interface {
			Lookup(ctx context.Context, ids []string) (twitter.Answer, error)
			LookupOnce(ctx context.Context, ids []string) (twitter.Answer, error)
			MaxIDs() int
			Larger(ids int) bool
		}{twitterAPI(t, config), xAPI(t, config), socialData(t, config)} {
			most := c.MaxIDs()
			way := func(least int) {
				t.Helper()
				way := fakeprovider.Way{LeastIDs: least, Instead: &fakeprovider.Instead{Status: status, Body: "<html>too long</html>"}}
				if err := server.Inject(fakeprovider.Injection{Way: &way}); err != nil {
					t.Fatal(err)
				}
			}
			way(13)
			a, err := c.Lookup(t.Context(), ids[:50])
			if err != nil || len(a.Found) != 50 || c.MaxIDs() != 12 {
				t.Errorf("%d: %d found, %d a call: %v", status, len(a.Found), c.MaxIDs(), err)
			}
			if c.Larger(24) {
				t.Errorf("%d: a longer call is tried at once", status)
			}
			now = now.Add(time.Hour)
			if !c.Larger(24) || c.Larger(24) {
				t.Errorf("%d: an hour later, want one longer call", status)
			}
			way(25)
			if a, err := c.LookupOnce(t.Context(), ids[:24]); err != nil || len(a.Found) != 24 || c.MaxIDs() != 24 {
				t.Errorf("%d: %d found, %d a call: %v", status, len(a.Found), c.MaxIDs(), err)
			}
			if !c.Larger(48) {
				t.Errorf("%d: a still longer one is not tried at once", status)
			}
			if a, err := c.LookupOnce(t.Context(), ids[:48]); !errors.Is(err, twitter.ErrTooManyIDs) || len(a.Unresolved) != 48 || c.MaxIDs() != 24 {
				t.Errorf("%d: refused, %d unresolved, %d a call: %v", status, len(a.Unresolved), c.MaxIDs(), err)
			}
			way(0)
			if _, err := c.Lookup(t.Context(), ids[:50]); twitter.Kind(err) != twitter.KindBadRequest || c.MaxIDs() != most {
				t.Errorf("%d for all: %v, %d a call", status, err, c.MaxIDs())
			}
		}
	}
}
