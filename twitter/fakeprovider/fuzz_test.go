package fakeprovider

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"time"
)

// A injection is taken or refused as a whole, and whatever was taken the fake provider goes
// on: it answers its own routes, and look-ups within the time that the caller has.
func FuzzInjection(f *testing.F) {
	f.Add([]byte(`{"calls":[{"fault":"server_error","next":3},{"fault":"hang","share":0.5}],"drop_share":0.1}`))
	f.Add([]byte(`{"tweets":[{"fault":"deleted","ids":["1"],"looks":2}],"credits":-1,"rate":0.001}`))
	f.Add([]byte(`{"clear":true,"refuse_key":true,"down":false}`))
	f.Add([]byte(`{"calls":[{"fault":"none"}]}`))
	f.Add([]byte(`{"rate":1e308} {}`))
	start := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	population, err := NewSynthetic(Options{N: 3, Seed: 1, Start: start, Spread: time.Minute})
	if err != nil {
		f.Fatal(err)
	}
	s, err := NewServer(Config{Population: population, Now: func() time.Time { return start.Add(time.Hour) }, Key: "key", LogSize: 10})
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	none, endless, unlimited := false, int64(-1), 0.0
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := s.Inject(Injection{Clear: true, DropShare: &unlimited, Credits: &endless, Rate: &unlimited, RefuseKey: &none, Down: &none}); err != nil {
			t.Fatal(err)
		}
		ask := func(ctx context.Context, method, path string, body []byte) (answer *httptest.ResponseRecorder, cut bool) {
			r := httptest.NewRequestWithContext(ctx, method, path, bytes.NewReader(body))
			r.RemoteAddr = "127.0.0.1:1"
			r.Header.Set("X-API-Key", "key")
			answer = httptest.NewRecorder()
			defer func() {
				switch p := recover(); p {
				case nil:
				case http.ErrAbortHandler:
					cut = true // a connection that the fake provider breaks off
				default:
					panic(p)
				}
			}()
			s.ServeHTTP(answer, r)
			return answer, false
		}
		before := s.Stats()
		switch taken, _ := ask(t.Context(), http.MethodPost, controlPath+"steer", body); taken.Code {
		case http.StatusNoContent:
		case http.StatusBadRequest:
			if after := s.Stats(); !reflect.DeepEqual(after, before) {
				t.Fatalf("refused, and yet %+v became %+v", before, after)
			}
		default:
			t.Fatalf("status %d: %s", taken.Code, taken.Body)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel() // a call that hangs ends with its caller
		for tweet := range population.All() {
			_, _ = ask(ended, http.MethodGet, "/twitter/tweets?tweet_ids="+tweet.ID, nil)
		}
		if stats, _ := ask(t.Context(), http.MethodGet, controlPath+"stats", nil); stats.Code != http.StatusOK {
			t.Fatalf("status %d of the statistics: %s", stats.Code, stats.Body)
		}
	})
}
