package twittertest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/twitter"
	"gorgone/twitter/twittertest"
)

const key = "key-of-the-double"

// serve runs a double of n aged tweets whose clock stands still, and returns their
// ids.
func serve(tb testing.TB, n int, config twittertest.Config) (server *twittertest.Server, baseURL string, ids []string) {
	tb.Helper()
	p, err := twittertest.NewSynthetic(twittertest.Options{N: n, Seed: 5, Start: start(), Spread: time.Hour})
	if err != nil {
		tb.Fatal(err)
	}
	for tweet := range p.All() {
		ids = append(ids, tweet.ID)
	}
	config.Population = p
	if config.Now == nil {
		config.Now = noon
	}
	server, err = twittertest.NewServer(config)
	if err != nil {
		tb.Fatal(err)
	}
	baseURL, err = server.Listen(tb.Context(), "")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(server.Close)
	return server, baseURL, ids
}

func noon() time.Time { return start().Add(4 * time.Hour) }

// client is what both look-up clients can do.
type client interface {
	Lookup(ctx context.Context, ids []string) (twitter.Answer, error)
}

// clients returns a client of each provider.
func clients(tb testing.TB, baseURL string, timeout time.Duration) map[string]client {
	tb.Helper()
	config := twitter.Config{Key: key, BaseURL: baseURL, Timeout: timeout, Now: noon}
	t, err := twitter.NewTwitterAPI(config)
	if err != nil {
		tb.Fatal(err)
	}
	x, err := twitter.NewXAPI(twitter.XConfig{Config: config})
	if err != nil {
		tb.Fatal(err)
	}
	return map[string]client{twitter.TwitterAPIName: t, twitter.XAPIName: x}
}

func steer(tb testing.TB, s *twittertest.Server, steering twittertest.Steering) {
	tb.Helper()
	if err := s.Steer(steering); err != nil {
		tb.Fatal(err)
	}
}

func TestClientsSeeTheTruth(t *testing.T) {
	t.Parallel()
	for _, newNames := range []bool{false, true} {
		server, baseURL, ids := serve(t, 120, twittertest.Config{Key: key, NewNames: newNames})
		all := clients(t, baseURL, 0)
		if newNames {
			x, err := twitter.NewXAPI(twitter.XConfig{Config: twitter.Config{Key: key, BaseURL: baseURL, Now: noon}, FieldsParam: twitter.PostFields})
			if err != nil {
				t.Fatal(err)
			}
			all[twitter.XAPIName] = x
		}
		for name, c := range all {
			a, err := c.Lookup(t.Context(), ids)
			if err != nil || len(a.Found) != len(ids) || len(a.Missing)+len(a.Unresolved) != 0 {
				t.Fatalf("%s: found %d of %d, %v", name, len(a.Found), len(ids), err)
			}
			for _, f := range a.Found {
				want, _ := server.Population().MetricsAt(f.ID, noon())
				tweet, _ := server.Population().Tweet(f.ID)
				if f.Metrics != want || !f.At.Equal(noon()) {
					t.Fatalf("%s: %s is %v at %s, want %v", name, f.ID, f.Metrics, f.At, want)
				}
				// twitterapi.io gives seconds.
				if d := tweet.CreatedAt.Sub(f.CreatedAt); d < 0 || d >= time.Second {
					t.Fatalf("%s: %s created at %s, want %s", name, f.ID, f.CreatedAt, tweet.CreatedAt)
				}
			}
		}
	}
}

// TestFaultsOfCalls lets every fault happen to every client.
func TestFaultsOfCalls(t *testing.T) {
	t.Parallel()
	kinds := map[twittertest.Fault]string{
		twittertest.ServerError:  twitter.KindFault,
		twittertest.Hang:         twitter.KindFault,
		twittertest.SlowBody:     twitter.KindFault,
		twittertest.CutBody:      twitter.KindFault,
		twittertest.Reset:        twitter.KindFault,
		twittertest.Truncated:    twitter.KindFault,
		twittertest.NotJSON:      twitter.KindMalformed,
		twittertest.StatusError:  twitter.KindFault,
		twittertest.Empty:        twitter.KindOK,
		twittertest.ZeroedViews:  twitter.KindOK,
		twittertest.ZeroedCounts: twitter.KindOK,
		twittertest.OutOfCredit:  twitter.KindOutOfCredit,
		twittertest.UsageCapped:  twitter.KindOutOfCredit,
		twittertest.Unauthorized: twitter.KindUnauthorized,
		twittertest.RateLimited:  twitter.KindRateLimited,
		twittertest.BadRequest:   twitter.KindBadRequest,
	}
	for _, fault := range twittertest.Faults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, baseURL, ids := serve(t, 30, twittertest.Config{Key: key})
			patient, faulted := clients(t, baseURL, 0), clients(t, baseURL, 0)
			if fault == twittertest.Hang || fault == twittertest.SlowBody {
				faulted = clients(t, baseURL, time.Second)
			}
			for name, c := range patient {
				before := server.Stats().Calls
				// A good call first, so that the fault meets a kept connection.
				for _, c := range []client{c, faulted[name]} {
					if _, err := c.Lookup(t.Context(), ids); err != nil {
						t.Fatal(err)
					}
				}
				steer(t, server, twittertest.Steering{Calls: []twittertest.CallSteering{{Fault: fault, Next: 1}}})
				a, err := faulted[name].Lookup(t.Context(), ids)
				if got := twitter.Kind(err); got != kinds[fault] {
					t.Fatalf("%s: %s (%v), want %s", name, got, err, kinds[fault])
				}
				if err != nil && len(a.Unresolved) != len(ids) {
					t.Errorf("%s: %d unresolved", name, len(a.Unresolved))
				}
				if got := server.Stats().Calls - before; got != 3 || a.Calls != 1 {
					t.Errorf("%s: %d calls arrived and %d counted for the faulted look, want 3 and 1", name, got, a.Calls)
				}
				if record := server.Calls()[len(server.Calls())-1]; record.Fault != fault {
					t.Errorf("%s: the log says fault %q", name, record.Fault)
				}
				switch fault {
				case twittertest.Empty:
					if len(a.Missing) != len(ids) {
						t.Errorf("%s: %d missing", name, len(a.Missing))
					}
				case twittertest.ZeroedViews:
					if m := a.Found[0].Metrics; m.Views != engagement.Known(0) {
						t.Errorf("%s: %v", name, m)
					}
				case twittertest.ZeroedCounts:
					if m := a.Found[0].Metrics; m.Total() != 0 || !m.Retweets.Known() {
						t.Errorf("%s: %v", name, m)
					}
				default:
				}
				// And the next call is well again.
				if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
					t.Fatalf("%s: afterwards found %d, %v", name, len(a.Found), err)
				}
			}
		})
	}
}

func TestFaultsOfTweets(t *testing.T) {
	t.Parallel()
	const found, missing, unresolved, refused = "found", "missing", "unresolved", "refused"
	cases := map[twittertest.TweetFault]struct{ state, reason string }{
		twittertest.Healthy:   {found, ""},
		twittertest.Deleted:   {missing, twitter.ReasonNotFound},
		twittertest.Protected: {missing, twitter.ReasonNotAuthorized},
		twittertest.Dropped:   {missing, ""},
		twittertest.NoViews:   {found, ""},
		twittertest.NoCounts:  {unresolved, ""},
		twittertest.ZeroViews: {found, ""},
		twittertest.Zeroed:    {found, ""},
		twittertest.HugeViews: {found, ""},
		twittertest.BadTweet:  {refused, ""},
	}
	for _, fault := range twittertest.TweetFaults() {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			server, baseURL, ids := serve(t, 20, twittertest.Config{})
			bad := ids[7]
			for name, c := range clients(t, baseURL, 0) {
				steer(t, server, twittertest.Steering{Clear: true, Tweets: []twittertest.TweetSteering{{Fault: fault, IDs: []string{bad}, Looks: 1}}})
				a, err := c.Lookup(t.Context(), ids)
				want := cases[fault]
				if want.state == refused {
					if twitter.Kind(err) != twitter.KindBadRequest || len(a.Unresolved) != len(ids) {
						t.Fatalf("%s: %v", name, err)
					}
				} else if err != nil || len(a.Found) < len(ids)-1 {
					t.Fatalf("%s: found %d, %v", name, len(a.Found), err)
				}
				switch want.state {
				case missing:
					reason := want.reason
					if name == twitter.TwitterAPIName {
						reason = "" // it never gives one
					}
					if len(a.Missing) != 1 || a.Missing[0].ID != bad || a.Missing[0].Reason != reason {
						t.Errorf("%s: missing %v, want %s for %q", name, a.Missing, bad, reason)
					}
				case unresolved:
					if len(a.Unresolved) != 1 || a.Unresolved[0].ID != bad || !errors.Is(a.Unresolved[0].Err, twitter.ErrMalformed) {
						t.Errorf("%s: unresolved %v", name, a.Unresolved)
					}
				case found:
					m := a.Found[slices.IndexFunc(a.Found, func(f twitter.Found) bool { return f.ID == bad })].Metrics
					truth, _ := server.Population().MetricsAt(bad, noon())
					if !spoilt(fault, m, truth) {
						t.Errorf("%s: %v where the truth is %v", name, m, truth)
					}
				default:
				}
				// It was for one look only.
				if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
					t.Errorf("%s: then found %d, %v", name, len(a.Found), err)
				}
			}
		})
	}
}

// spoilt reports whether m is the truth as the fault changes it.
func spoilt(fault twittertest.TweetFault, m, truth engagement.Metrics) bool {
	switch fault {
	case twittertest.NoViews:
		truth.Views, truth.Bookmarks = engagement.Count{}, engagement.Count{}
	case twittertest.ZeroViews:
		truth.Views = engagement.Known(0)
	case twittertest.HugeViews:
		truth.Views = engagement.Known(3_000_000_000)
	case twittertest.Zeroed:
		zero := engagement.Known(0)
		truth = engagement.Metrics{Retweets: zero, Replies: zero, Likes: zero, Quotes: zero, Views: zero, Bookmarks: zero}
	default:
	}
	return m == truth
}

func TestFaultsByChance(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := serve(t, 50, twittertest.Config{Seed: 42})
	half := 0.5
	steer(t, server, twittertest.Steering{
		Calls:     []twittertest.CallSteering{{Fault: twittertest.ServerError, Share: &half}},
		DropShare: &half,
	})
	c := clients(t, baseURL, 0)[twitter.TwitterAPIName]
	var failed, missed int
	for range 100 {
		a, err := c.Lookup(t.Context(), ids)
		if err != nil {
			failed++
		}
		missed += len(a.Missing)
	}
	if failed < 30 || failed > 70 || missed < 700 || missed > 1800 {
		t.Errorf("%d of 100 calls failed, %d tweets missed; want about 50 and 1250", failed, missed)
	}
	steer(t, server, twittertest.Steering{Clear: true})
	if a, err := c.Lookup(t.Context(), ids); err != nil || len(a.Found) != len(ids) {
		t.Errorf("after all faults are cleared: found %d, %v", len(a.Found), err)
	}
}

// get makes a plain request and returns the answer.
func get(t *testing.T, url string, header ...string) (status int, body string, h http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func TestWireFormatOfTwitterAPI(t *testing.T) {
	t.Parallel()
	_, baseURL, ids := serve(t, 60, twittertest.Config{Key: key})
	url := baseURL + "/twitter/tweets?tweet_ids="

	status, body, _ := get(t, url+strings.Join(ids[:42], ","), "x-api-key", key)
	var answer struct {
		Status string
		Msg    string
		Tweets []map[string]any
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != 200 || answer.Status != "success" || len(answer.Tweets) != 42 {
		t.Fatalf("%d, %v: %.300s", status, err, body)
	}
	for _, tweet := range answer.Tweets {
		for _, member := range []string{
			"type", "id", "url", "text", "source", "retweetCount", "replyCount", "likeCount", "quoteCount", "viewCount", "bookmarkCount",
			"createdAt", "lang", "isReply", "conversationId", "author", "entities", "extendedEntities", "quoted_tweet", "retweeted_tweet",
		} {
			if _, ok := tweet[member]; !ok {
				t.Fatalf("a tweet has no %s: %v", member, tweet)
			}
		}
		created, _ := tweet["createdAt"].(string)
		if _, err := time.Parse(time.RubyDate, created); err != nil {
			t.Fatal(err)
		}
	}
	if size := len(body) / 42; size < 2000 || size > 5000 {
		t.Errorf("a tweet has %d bytes, real ones about 3000", size)
	}

	for name, c := range map[string]struct {
		query, key string
		status     int
		body       string
	}{
		"no key":       {ids[0], "", 403, `{"error":"Forbidden","message":"API key required. Please provide it in the X-API-Key header"}`},
		"wrong key":    {ids[0], "other", 401, `{"error":"Unauthorized","message":"API key is invalid"}`},
		"too many ids": {strings.Join(ids[:51], ","), key, 400, `{"detail":"max 50 tweet_ids per request, please batch into multiple calls"}`},
		"no ids":       {"", key, 422, `{"detail":[{"type":"missing","loc":["query","tweet_ids"],"msg":"Field required","input":null}]}`},
		"not an id":    {"12x", key, 400, `{"detail":"invalid tweet_ids"}`},
		"nothing":      {"1", key, 200, `{"tweets":[],"status":"success","msg":"success","code":0}`},
	} {
		status, body, _ := get(t, url+c.query, "X-API-Key", c.key)
		if status != c.status || body != c.body {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, _, _ := get(t, baseURL+"/twitter/tweet"); status != http.StatusNotFound {
		t.Errorf("an unknown path: %d", status)
	}
}

func TestWireFormatOfX(t *testing.T) {
	t.Parallel()
	_, baseURL, ids := serve(t, 3, twittertest.Config{Key: key})
	bearer := "Bearer " + key
	url := baseURL + "/2/tweets?ids="

	_, body, _ := get(t, url+ids[0]+",17", "Authorization", bearer)
	if strings.Contains(body, "public_metrics") || strings.Contains(body, "created_at") || !strings.Contains(body, `"edit_history_tweet_ids":["`+ids[0]+`"]`) {
		t.Errorf("without fields asked for: %s", body)
	}
	want := `"errors":[{"value":"17","detail":"Could not find tweet with ids: [17].","title":"Not Found Error","resource_type":"tweet","parameter":"ids","resource_id":"17","type":"https://api.x.com/2/problems/resource-not-found"}],"meta":{"result_count":1}}`
	if !strings.HasSuffix(body, want) {
		t.Errorf("a tweet that is not there: %s", body)
	}
	_, body, _ = get(t, url+ids[0]+"&tweet.fields=public_metrics,created_at", "Authorization", bearer)
	for _, member := range []string{"retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count", "created_at"} {
		if !strings.Contains(body, `"`+member+`":`) {
			t.Errorf("no %s in %s", member, body)
		}
	}
	for name, c := range map[string]struct {
		url, key string
		status   int
		says     string
	}{
		"no key":        {url + ids[0], "", 401, `"title":"Unauthorized"`},
		"other names":   {url + ids[0] + "&post.fields=public_metrics", bearer, 400, "post.fields"},
		"not an id":     {url + "x", bearer, 400, "invalid-request"},
		"too many":      {url + strings.Repeat("1,", 100) + "1", bearer, 400, "[101]"},
		"nothing found": {url + "17", bearer, 200, `{"errors":[`},
	} {
		status, body, _ := get(t, c.url, "Authorization", c.key)
		if status != c.status || !strings.Contains(body, c.says) || !json.Valid([]byte(body)) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

func TestRateLimitOnTheWire(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := serve(t, 3, twittertest.Config{Rate: 0.2, RetryAfter: true})
	c := clients(t, baseURL, 0)
	if _, err := c[twitter.TwitterAPIName].Lookup(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	status, body, h := get(t, baseURL+"/twitter/tweets?tweet_ids="+ids[0])
	if status != 429 || body != `{"error":"Too Many Requests","message":"For free-tier users, the QPS limit is one request every 5 seconds."}` {
		t.Errorf("%d %s", status, body)
	}
	if h.Get("Retry-After") == "" || h.Get("X-Rate-Limit-Limit") != "" {
		t.Errorf("headers %v", h)
	}
	_, _, h = get(t, baseURL+"/2/tweets?ids="+ids[0])
	if h.Get("X-Rate-Limit-Limit") != "1" || h.Get("X-Rate-Limit-Remaining") != "0" || h.Get("X-Rate-Limit-Reset") == "" {
		t.Errorf("X's headers %v", h)
	}
	for name, client := range c {
		_, err := client.Lookup(t.Context(), ids)
		limited, ok := errors.AsType[*twitter.RateLimitError](err)
		if !ok || limited.After < time.Second || limited.After > 8*time.Second {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := server.Stats(); s.RateLimited != 4 || s.Calls != 5 || s.ByStatus[429] != 4 {
		t.Errorf("stats %+v", s)
	}
	none := 0.0
	steer(t, server, twittertest.Steering{Rate: &none})
	if _, err := c[twitter.XAPIName].Lookup(t.Context(), ids); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}

// TestCredits spends an account down to nothing.
func TestCredits(t *testing.T) {
	t.Parallel()
	var lines bytes.Buffer
	server, baseURL, ids := serve(t, 10, twittertest.Config{Credits: 15*10 + 15 + 20, Log: &lines, Key: key})
	c, err := twitter.NewTwitterAPI(twitter.Config{Key: key, BaseURL: baseURL})
	if err != nil {
		t.Fatal(err)
	}
	spend := func(ids []string, left int64) {
		t.Helper()
		if _, err := c.Lookup(t.Context(), ids); err != nil {
			t.Fatal(err)
		}
		credits, err := c.Balance(t.Context())
		if err != nil || credits.Total() != left || server.Stats().Credits != left {
			t.Fatalf("left %+v, %v; want %d", credits, err, left)
		}
	}
	spend(ids, 35)
	spend([]string{"17"}, 20) // an answer without a tweet is billed as one
	spend(ids[:1], 5)
	if _, err := c.Lookup(t.Context(), ids); !errors.Is(err, twitter.ErrOutOfCredit) {
		t.Errorf("with 5 credits left: %v", err)
	}
	more := int64(1000)
	steer(t, server, twittertest.Steering{Credits: &more})
	if _, err := c.Lookup(t.Context(), ids); err != nil {
		t.Errorf("after more was paid: %v", err)
	}
	s := server.Stats()
	if s.Billed != 150+15+15+150 || s.Returned != 21 || s.Asked != 32 || s.Calls != 8 {
		t.Errorf("stats %+v", s)
	}

	server.Close() // nobody writes to the log any more
	records := json.NewDecoder(&lines)
	for _, want := range server.Calls() {
		var got twittertest.Record
		if err := records.Decode(&got); err != nil || got.Seq != want.Seq || got.Billed != want.Billed || !slices.Equal(got.IDs, want.IDs) {
			t.Fatalf("log has %+v, %v; want %+v", got, err, want)
		}
		if len(got.Key) != 8 || strings.Contains(lines.String(), key) {
			t.Fatalf("key %q in the log", got.Key)
		}
	}
}

func TestControl(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := serve(t, 20, twittertest.Config{Key: key})
	post := func(body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+"/_double/steer", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(answer)
	}
	if status, body := post(`{"tweets":[{"fault":"deleted","ids":["` + ids[3] + `"]}],"calls":[{"fault":"server_error","next":1}]}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, body)
	}
	x := clients(t, baseURL, 0)[twitter.XAPIName]
	if _, err := x.Lookup(t.Context(), ids); !errors.Is(err, twitter.ErrProviderFault) {
		t.Errorf("the first call: %v", err)
	}
	if a, err := x.Lookup(t.Context(), ids); err != nil || len(a.Missing) != 1 {
		t.Errorf("the second call: %v, missing %v", err, a.Missing)
	}
	for name, body := range map[string]string{
		"not JSON":        `fault=hang`,
		"unknown member":  `{"faults":[]}`,
		"unknown fault":   `{"calls":[{"fault":"explode","next":1}]}`,
		"unknown ailment": `{"tweets":[{"fault":"sad","ids":["1"]}]}`,
		"share":           `{"drop_share":2}`,
		"id":              `{"tweets":[{"fault":"deleted","ids":["x"]}]}`,
		"half wrong":      `{"clear":true,"rate":-1}`,
	} {
		if status, answer := post(body); status != http.StatusBadRequest || answer == "" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	if a, err := x.Lookup(t.Context(), ids); err != nil || len(a.Missing) != 1 {
		t.Errorf("wrong steering changed something: %v, missing %v", err, a.Missing)
	}

	_, body, _ := get(t, baseURL+"/_double/stats")
	var stats twittertest.Stats
	if err := json.Unmarshal([]byte(body), &stats); err != nil || stats.Calls != 3 || stats.ByFault[twittertest.ServerError] != 1 {
		t.Errorf("stats %s: %v", body, err)
	}
	_, body, _ = get(t, baseURL+"/_double/calls?after=1")
	if n := strings.Count(body, "\n"); n != 2 || !strings.Contains(body, `"seq":3`) {
		t.Errorf("calls after the first: %s", body)
	}
	_, body, _ = get(t, baseURL+"/_double/tweets")
	if strings.Count(body, "\n") != 20 || !strings.Contains(body, `"id":"`+ids[19]+`"`) {
		t.Errorf("tweets: %s", body)
	}
	at := noon().Add(-2 * time.Hour)
	_, body, _ = get(t, baseURL+"/_double/tweets/"+ids[2]+"?at="+at.Format(time.RFC3339))
	var truth struct{ Metrics engagement.Metrics }
	want, _ := server.Population().MetricsAt(ids[2], at)
	if err := json.Unmarshal([]byte(body), &truth); err != nil || truth.Metrics != want {
		t.Errorf("truth %s: %v, want %v", body, err, want)
	}
	if status, _, _ := get(t, baseURL+"/_double/tweets/17"); status != http.StatusNotFound {
		t.Errorf("the truth about no tweet: %d", status)
	}
}

// TestControlIsLocal asks from another machine.
func TestControlIsLocal(t *testing.T) {
	t.Parallel()
	server, _, _ := serve(t, 1, twittertest.Config{})
	for remote, want := range map[string]int{"127.0.0.1:9": 200, "[::1]:9": 200, "10.0.0.7:9": 403, "": 403} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/_double/stats", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.RemoteAddr = remote
		w := &recorder{header: make(http.Header), status: 200}
		server.ServeHTTP(w, req)
		if w.status != want {
			t.Errorf("from %q: %d, want %d", remote, w.status, want)
		}
	}
}

// recorder is a ResponseWriter that keeps the status.
type recorder struct {
	header http.Header
	status int
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return len(b), nil }

// arrivals is a log of calls that tells when one has arrived.
type arrivals chan struct{}

func (a arrivals) Write(line []byte) (int, error) {
	a <- struct{}{}
	return len(line), nil
}

// TestCloseEndsHangingCalls would hang itself if it did not.
func TestCloseEndsHangingCalls(t *testing.T) {
	t.Parallel()
	arrived := make(arrivals, 1)
	server, baseURL, ids := serve(t, 3, twittertest.Config{Latency: time.Millisecond, Jitter: time.Millisecond, Log: arrived})
	steer(t, server, twittertest.Steering{Calls: []twittertest.CallSteering{{Fault: twittertest.Hang, Next: 1}}})
	ended := make(chan error, 1)
	c := clients(t, baseURL, time.Minute)[twitter.TwitterAPIName]
	go func() {
		_, err := c.Lookup(t.Context(), ids)
		ended <- err
	}()
	<-arrived
	server.Close()
	if err := <-ended; !errors.Is(err, twitter.ErrProviderFault) {
		t.Errorf("the hanging call ended with %v", err)
	}
}

func TestServerConfig(t *testing.T) {
	t.Parallel()
	p, err := twittertest.NewSynthetic(twittertest.Options{N: 1, Start: start()})
	if err != nil {
		t.Fatal(err)
	}
	for name, config := range map[string]twittertest.Config{
		"no population": {},
		"negative":      {Population: p, Latency: -1},
		"rate":          {Population: p, Rate: 1e9},
	} {
		if _, err := twittertest.NewServer(config); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// BenchmarkServe is the double at its fastest: calls of 50 ids over loopback, the
// caller only counting bytes.
func BenchmarkServe(b *testing.B) {
	_, baseURL, ids := serve(b, 100_000, twittertest.Config{})
	urls := make([]string, 0, len(ids)/50)
	for batch := range slices.Chunk(ids, 50) {
		urls = append(urls, baseURL+"/twitter/tweets?tweet_ids="+strings.Join(batch, ","))
	}
	var size int64
	for i := 0; b.Loop(); i++ {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, urls[i%len(urls)], nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if size, err = io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	b.SetBytes(size)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

// BenchmarkRender is one answer of 50 tweets without any network.
func BenchmarkRender(b *testing.B) {
	server, _, ids := serve(b, 100_000, twittertest.Config{})
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/twitter/tweets?tweet_ids="+strings.Join(ids[:50], ","), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		server.ServeHTTP(&recorder{header: make(http.Header)}, req)
	}
	b.ReportMetric(50*float64(b.N)/b.Elapsed().Seconds(), "tweets/s")
}
