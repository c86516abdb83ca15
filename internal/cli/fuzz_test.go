package cli

import (
	"testing"

	"gorgone/engagement"
	"gorgone/internal/cli/tweetlist"
)

// A file for gorgone track.
func FuzzTrackList(f *testing.F) {
	f.Add("1984567890123456789", "")
	f.Add("20 2026-11-23T09:30:00Z\r\n\"21\",yesterday", "2026-11-23T09:30:00Z")
	f.Add("tweet_id,created_at\nhttps://x.com/i/web/status/1984567890123456789?s=20#m, # all", "")
	f.Fuzz(func(t *testing.T, text, at string) {
		tweets, err := tweetlist.Parse(text, at)
		for _, tweet := range tweets {
			if engagement.CheckTweetID(tweet.TweetID) != nil || tweet.CreatedAt.IsZero() {
				t.Fatalf("%q became %+v, %v", text, tweet, err)
			}
		}
	})
}
