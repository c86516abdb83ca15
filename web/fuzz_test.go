package web

import (
	"encoding/json"
	"errors"
	"testing"

	"gorgone/engagement"
)

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
