package fakeprovider_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"gorgone/twitter/fakeprovider"
)

// BenchmarkServe is the fake provider at its fastest: calls of 50 ids over loopback, the
// caller only counting bytes.
func BenchmarkServe(b *testing.B) {
	_, baseURL, ids := serve(b, 100_000, fakeprovider.Config{})
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
	server, _, ids := serve(b, 100_000, fakeprovider.Config{})
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/twitter/tweets?tweet_ids="+strings.Join(ids[:50], ","), nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		server.ServeHTTP(&recorder{header: make(http.Header)}, req)
	}
	b.ReportMetric(50*float64(b.N)/b.Elapsed().Seconds(), "tweets/s")
}
