package fakeprovider_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorgone/twitter/fakeprovider"
)

// TestBillsAsTheVendorsDo looks the same tweets up on two days, and counts what was charged
// by hand from the price lists.
func TestBillsAsTheVendorsDo(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 23, 59, 59, 0, time.UTC)
	server, baseURL, ids := serve(t, 20, fakeprovider.Config{Now: func() time.Time { return now }})
	ask := func(route, key string, ids ...string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, baseURL+route+strings.Join(ids, ","), nil)
		if route == "/twitter/tweets-by-ids" {
			req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, baseURL+route, strings.NewReader(`{"ids":[`+strings.Join(ids, ",")+`]}`))
		}
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d, %v: %s", route, resp.StatusCode, err, body)
		}
	}
	const x, twitterAPI, socialData = "/2/tweets?ids=", "/twitter/tweets?tweet_ids=", "/twitter/tweets-by-ids"
	for _, step := range []struct {
		name, route, key string
		ids              []string
		charged          int64
		later            time.Duration
	}{
		{"X", x, "a", ids[:3], 3, 0},
		{"X, again and one more", x, "a", ids[:4], 1, 0},
		{"X, another key", x, "b", ids[:2], 2, time.Second},
		{"X, the next day", x, "a", ids[:3], 3, -time.Second},
		{"X, a call of the day before beside it", x, "a", ids[3:5], 1, time.Second},
		{"X, the next day still", x, "a", ids[:3], 0, 0},
		{"X, none there", x, "a", []string{"17"}, 0, 0},
		{"twitterapi.io", twitterAPI, "a", ids[:3], 3, 0},
		{"twitterapi.io, again", twitterAPI, "a", ids[:3], 3, 0},
		{"twitterapi.io, none there", twitterAPI, "a", []string{"17"}, 1, 0},
		{"SocialData", socialData, "a", ids[:3], 3, 0},
		{"SocialData, again", socialData, "a", ids[:3], 3, 0},
		{"SocialData, none there", socialData, "a", []string{"17"}, 0, 0},
	} {
		before := server.Stats().Billed
		ask(step.route, step.key, step.ids...)
		if got := server.Stats().Billed - before; got != 15*step.charged {
			t.Errorf("%s: %d credits, want those of %d tweets", step.name, got, step.charged)
		}
		now = now.Add(step.later)
	}
}
