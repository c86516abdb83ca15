package fakeprovider_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

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
	_, baseURL, ids := serve(t, 60, fakeprovider.Config{Key: key})
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
	_, baseURL, ids := serve(t, 3, fakeprovider.Config{Key: key})
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
	server, baseURL, ids := serve(t, 3, fakeprovider.Config{Rate: 0.2, RetryAfter: true})
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
	inject(t, server, fakeprovider.Injection{Rate: &none})
	if _, err := c[twitter.XAPIName].Lookup(t.Context(), ids); err != nil {
		t.Errorf("without a limit: %v", err)
	}
}
