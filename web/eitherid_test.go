package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestEitherIDOnEveryRoute walks the OpenAPI document: a route whose {id} is a tweet takes
// that of its row, that of the platform and its address, and answers all alike.
func TestEitherIDOnEveryRoute(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1, workers: 1})
	row, id := e.row(0)
	a := e.ok(202, http.MethodPost, "/api/twitter/tweets/"+id+"/refresh?wait=0", e.service, "")
	location := a.header.Get("Location")
	for e.do(http.MethodGet, location, e.service, "").status == http.StatusAccepted {
		continue
	}
	request := location[strings.LastIndex(location, "/")+1:]

	walked := 0
	for pattern, methods := range readDocument(t).Paths {
		for method, operation := range methods {
			for _, p := range operation.Parameters {
				if p.In != "path" || p.Name != "id" || strings.HasPrefix(pattern, "/api/twitter/alerts/") {
					continue // not a tweet
				}
				walked++
				for _, ref := range []string{row.String(), strings.ToUpper(row.String()), id, url.PathEscape("https://x.com/i/status/" + id)} {
					path := strings.NewReplacer("{id}", ref, "{request}", request).Replace(pattern)
					e.ok(200, strings.ToUpper(method), path, e.service, "")
				}
			}
		}
	}
	if walked < 4 {
		t.Errorf("%d routes take a tweet, want 4 at least", walked)
	}
}
