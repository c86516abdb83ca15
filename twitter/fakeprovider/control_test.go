package fakeprovider_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

func TestControl(t *testing.T) {
	t.Parallel()
	server, baseURL, ids := serve(t, 20, fakeprovider.Config{Key: key})
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
		t.Errorf("an invalid injection changed something: %v, missing %v", err, a.Missing)
	}

	_, body, _ := get(t, baseURL+"/_double/stats")
	var stats fakeprovider.Stats
	if err := json.Unmarshal([]byte(body), &stats); err != nil || stats.Calls != 3 || stats.ByFault[fakeprovider.ServerError] != 1 {
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
	server, _, _ := serve(t, 1, fakeprovider.Config{})
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

func (a arrivals) Write(line []byte) (int, error) {
	a <- struct{}{}
	return len(line), nil
}
