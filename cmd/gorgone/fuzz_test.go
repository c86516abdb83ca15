package main

import (
	"encoding/json"
	"strings"
	"testing"

	"gorgone/engagement"
)

// The schedule of GORGONE_TIERS.
func FuzzTierSteps(f *testing.F) {
	f.Add("ultra_hot 1h 10m, hot 4h 30m, warm 12h 1h")
	f.Add("hot -1h 0s")
	f.Add(",,")
	f.Fuzz(func(t *testing.T, value string) {
		var s tierSteps
		if err := s.Decode(value); err != nil {
			return
		}
		if len(s) != strings.Count(value, ",")+1 {
			t.Fatalf("%q became %d steps", value, len(s))
		}
		_, _ = engagement.NewTierPolicy(s) // must not panic, and may refuse
	})
}

// The file that gorgone up leaves for other commands is read as it was written, or
// refused without repeating what is in it: it holds passwords.
func FuzzRunning(f *testing.F) {
	f.Add([]byte(`{"pid":7,"started":"2026-11-01T12:00:00Z","database_url":"postgres://u:sesame@127.0.0.1:1/x","nats_url":"nats://127.0.0.1:2","web_url":"http://127.0.0.1:3","rate":20}`))
	f.Add([]byte(`{"pid":7,"database_url":"host=/tmp","nats_url":"nats://a:1,nats://b:2","web_url":"http://[::1]:3","provider_url":"http://127.0.0.1:4","provider_key":"sesame"}`))
	f.Add([]byte(`{"pid":"sesame"}`))
	f.Add([]byte(`{"pid":7,"web_url":"http://sesame\u007f"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRunning(data)
		if err != nil {
			if r != (running{}) || strings.Contains(err.Error(), "sesame") {
				t.Fatalf("%+v, %v", r, err)
			}
			return
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeRunning(text)
		if err != nil || again != r {
			t.Fatalf("%s became %+v (%v)", text, again, err)
		}
	})
}

// A line of a file for gorgone track.
func FuzzTrackLine(f *testing.F) {
	f.Add("1984567890123456789")
	f.Add("20 2026-11-23T09:30:00Z")
	f.Add("20 yesterday")
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Fields(line)
		if len(words) == 0 {
			return
		}
		tweet, err := newTweet(words)
		if err == nil && (engagement.CheckTweetID(tweet.TweetID) != nil || tweet.TweetID != words[0]) {
			t.Fatalf("%q became %+v", line, tweet)
		}
	})
}
