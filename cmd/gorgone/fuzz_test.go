package main

import (
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
