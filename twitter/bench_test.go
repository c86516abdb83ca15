package twitter

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gorgone/twitter/fakeprovider"
)

// answers returns what a fake provider answers for 50 tweets.
func answers(b *testing.B, path string) (body []byte, ids []string) {
	b.Helper()
	start := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	p, err := fakeprovider.NewSynthetic(fakeprovider.Options{N: 50, Start: start})
	if err != nil {
		b.Fatal(err)
	}
	for tweet := range p.All() {
		ids = append(ids, tweet.ID)
	}
	server, err := fakeprovider.NewServer(fakeprovider.Config{Population: p, Now: func() time.Time { return start.Add(3 * time.Hour) }})
	if err != nil {
		b.Fatal(err)
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, path+strings.Join(ids, ","), nil))
	return w.Body.Bytes(), ids
}

// BenchmarkDecode reads answers of 50 tweets, of 3 KB each at twitterapi.io.
func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		name, path string
		decode     func([]byte, *page) error
	}{
		{"TwitterAPI", "/twitter/tweets?tweet_ids=", decodeTwitterAPI},
		{"X", "/2/tweets?tweet.fields=public_metrics,created_at&ids=", decodeX},
	} {
		b.Run(c.name, func(b *testing.B) {
			body, ids := answers(b, c.path)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				p := newPage(ids)
				var a Answer
				if err := c.decode(body, p); err != nil {
					b.Fatal(err)
				}
				if p.addTo(&a, time.Time{}); len(a.Found) != len(ids) {
					b.Fatalf("found %d", len(a.Found))
				}
			}
			b.ReportMetric(float64(len(ids)*b.N)/b.Elapsed().Seconds(), "tweets/s")
		})
	}
}
