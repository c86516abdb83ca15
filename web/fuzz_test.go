package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"gorgone/engagement"
	"gorgone/queue"
)

// An event of the queue becomes frames of an id, a kind and one line of JSON each, or
// is refused; and what a reader who comes back names as its last does no harm.
func FuzzEvent(f *testing.F) {
	f.Add("alert", []byte(`{"zone_id":"0c5a2d52-4a2e-4d5b-9a57-0d3a3b1f0001",
 "x":"\u2028"}`), "boot_1")
	f.Add("alert", []byte(`{}`), "boot_18446744073709551615")
	f.Add(queue.EventUpdate, []byte(`[{"zone_id":"0c5a2d52-4a2e-4d5b-9a57-0d3a3b1f0001","tweet_id":"20","outcome":"updated"}]`), "boot_0")
	f.Add(queue.EventUpdate, []byte(`[{"outcome":1e9}]`), "other_1")
	f.Fuzz(func(t *testing.T, kind string, data []byte, last string) {
		if kind != queue.EventUpdate {
			kind = "alert" // the queue takes no other signs
		}
		h := newHub("boot", 1)
		err := h.broadcast(queue.Event{Kind: kind, Data: data})
		if err != nil && kind != queue.EventUpdate && len(h.kept) > 0 {
			t.Fatalf("%q is passed on in spite of %v", data, err)
		}
		for _, frame := range h.kept {
			lines := bytes.Split(frame.text, []byte("\n"))
			if len(lines) != 5 || !bytes.HasPrefix(lines[0], []byte("id: boot_")) || !bytes.HasPrefix(lines[1], []byte("event: ")) {
				t.Fatalf("%q became %q", data, frame.text)
			}
			if body, ok := bytes.CutPrefix(lines[2], []byte("data: ")); !ok || !json.Valid(body) {
				t.Fatalf("%q became %q", data, frame.text)
			}
		}
		h.left = time.Now() // or what is kept is forgotten
		_, from, err := h.join(subscriber{}, nil, last)
		if err != nil || len(from.missed) > len(h.kept) || !from.complete && len(from.missed) > 0 {
			t.Fatalf("%q: %d missed, complete %t, %v", last, len(from.missed), from.complete, err)
		}
		if text := string(from.greeting()); strings.Contains(from.id, "\n") || strings.Count(text, "\n\n") > 2 {
			t.Fatalf("%q is greeted by %q", last, text)
		}
	})
}

// What the query of a request says is within its bounds, or refused as a bad request.
func FuzzQuery(f *testing.F) {
	f.Add("from=2026-11-23&to=2026-11-24T00:00:00Z&n=7&d=10s&b=true")
	f.Add("n=-1&d=1e9h&b=2")
	f.Add("from=0001-01-01&to=9999-12-31&n=99999999999999999999&d=%zz;")
	f.Fuzz(func(t *testing.T, query string) {
		r := &request{Request: &http.Request{URL: &url.URL{RawQuery: query}}}
		check := func(err error, in bool) {
			if err != nil && failureOf(err).status != http.StatusBadRequest || err == nil && !in {
				t.Fatalf("%q: %v", query, err)
			}
		}
		n, err := r.number("n", 5, 1, 100)
		check(err, n >= 1 && n <= 100)
		d, err := r.duration("d", time.Minute, time.Second, time.Hour)
		check(err, d >= time.Second && d <= time.Hour)
		_, err = r.boolean("b")
		check(err, true)
		between, err := r.between()
		check(err, between.From.IsZero() || between.To.IsZero() || between.From.Before(between.To))
	})
}

// The body of a request to track tweets: refused as a bad request, or of tweets
// that the store can be asked to take.
func FuzzTrackBody(f *testing.F) {
	f.Add([]byte(`{"tweet_id":"1984567890123456789","created_at":"2026-11-01T12:00:00Z","text":"x","metrics":{"like_count":3},"raw":{}}`))
	f.Add([]byte(`{"tweet_id":"20"}`))
	f.Add([]byte(`{"tweet_id":1e9}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var given newTweet
		if err := readJSON(body, &given); err != nil {
			if _, ok := errors.AsType[*failure](err); !ok {
				t.Fatalf("%q is not refused as a bad request: %v", body, err)
			}
			return
		}
		tweet, err := given.read()
		if err != nil {
			return
		}
		if engagement.CheckTweetID(tweet.TweetID) != nil || tweet.CreatedAt.IsZero() && given.CreatedAt == nil {
			t.Fatalf("%q became %+v", body, tweet)
		}
		if tweet.Raw != nil && !json.Valid(tweet.Raw) {
			t.Fatalf("%q has raw data that is not JSON", body)
		}
	})
}
