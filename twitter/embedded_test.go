package twitter_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"gorgone/twitter"
)

const quoted = `{"id":"20","createdAt":"Tue Mar 21 20:50:14 +0000 2006","likeCount":3,"retweetCount":2,"replyCount":1,"quoteCount":4,"viewCount":50,"author":{"id":"1"}}`

// TestEmbeddedTweets: tweets inside those that were asked for are told of with their counts, once
// for each; one that was asked for itself, lacks a count, is hidden or is none, is not.
func TestEmbeddedTweets(t *testing.T) {
	t.Parallel()
	element := func(id int, more string) string {
		return fmt.Sprintf(`{"id":"%d","likeCount":1,"retweetCount":1,"replyCount":1,"quoteCount":1%s}`, id, more)
	}
	body := `{"status":"success","tweets":[` +
		element(10, `,"quoted_tweet":`+quoted) + "," + element(11, `,"retweeted_tweet":`+quoted) + "," +
		element(12, `,"quoted_tweet":{"id":"21","likeCount":1}`) + "," + element(13, `,"quoted_tweet":null`) + "," +
		element(14, `,"quoted_tweet":{"id":"x","likeCount":3,"retweetCount":2,"replyCount":1,"quoteCount":4}`) + "," +
		element(15, `,"quoted_tweet":`+element(10, "")) + "," + element(16, `,"quoted_tweet":[1,{}]`) + "," +
		element(17, `,"quoted_tweet":`+element(22, `,"unavailable":true`)) + `]}`
	address := handler(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	a, err := twitterAPI(t, twitter.Config{BaseURL: address, Now: noon}).Lookup(t.Context(), []string{"10", "11", "12", "13", "14", "15", "16", "17"})
	if err != nil || len(a.Found) != 8 || a.Strays != 0 || a.Billed != 8 {
		t.Fatalf("%d found, %d strays, %d billed: %v", len(a.Found), a.Strays, a.Billed, err)
	}
	if len(a.Embedded) != 2 {
		t.Fatalf("%+v", a.Embedded)
	}
	for _, e := range a.Embedded {
		if e.ID != "20" || e.Metrics.Likes.Value() != 3 || e.Metrics.Views.Value() != 50 || e.Metrics.Total() != 10 || !e.At.Equal(noon()) || e.Call != 1 ||
			!e.CreatedAt.Equal(time.Date(2006, 3, 21, 20, 50, 14, 0, time.UTC)) {
			t.Errorf("%+v", e)
		}
	}
}

// TestSocialDataEmbeds: the same by SocialData's names.
func TestSocialDataEmbeds(t *testing.T) {
	t.Parallel()
	const (
		counts = `"favorite_count":3,"retweet_count":2,"reply_count":1,"quote_count":4`
		inside = `{"tweet_created_at":"2006-03-21T20:50:14.000000Z","id":20,"id_str":"20",` + counts + `,"views_count":50,"user":{"id":1,"favorite_count":9}}`
		body   = `{"tweets":[{"id_str":"10",` + counts + `,"quoted_status":` + inside + `,"retweeted_status":null},
			{"id_str":"11","full_text":"RT @a: b","retweet_count":2,"favorite_count":0,"retweeted_status":` + inside + `},
			{"id_str":"12",` + counts + `,"quoted_status":{"id_str":"21","favorite_count":1}},
			{"id_str":"13",` + counts + `,"quoted_status":{"id_str":"10",` + counts + `}}]}`
	)
	address := handler(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) })
	a, err := socialData(t, twitter.Config{BaseURL: address, Now: noon}).Lookup(t.Context(), []string{"10", "11", "12", "13"})
	if err != nil || len(a.Found) != 4 || a.Strays != 0 || a.Billed != 4 || len(a.Embedded) != 2 {
		t.Fatalf("%d found, %d strays, %d billed, inside: %+v: %v", len(a.Found), a.Strays, a.Billed, a.Embedded, err)
	}
	for _, e := range a.Embedded {
		if e.ID != "20" || e.Metrics.Likes.Value() != 3 || e.Metrics.Views.Value() != 50 || e.Metrics.Total() != 10 || !e.At.Equal(noon()) ||
			!e.CreatedAt.Equal(time.Date(2006, 3, 21, 20, 50, 14, 0, time.UTC)) {
			t.Errorf("%+v", e)
		}
	}
	p, err := twitter.DecodePush([]byte(`{"event_type":"tweet","rule_id":"r","timestamp":1761268100000,"tweets":[{"id_str":"1981517640000000001","text":null,"full_text":"b",
		"tweet_created_at":"2025-10-24T01:07:19.000000Z","in_reply_to_status_id_str":"1981517630000000000",` + counts + `,"views_count":7,"quoted_status":` + inside + `}]}`))
	if err != nil || len(p.Tweets) != 1 || p.Tweets[0].Text != "b" || p.Tweets[0].ReplyTo != "1981517630000000000" || p.Tweets[0].Metrics.Views.Value() != 7 {
		t.Fatalf("%+v: %v", p, err)
	}
	beside := p.Beside()
	if len(beside) != 2 || beside[0].Provider != twitter.SocialDataName || beside[1].ID != "20" || beside[1].Provider != twitter.SocialDataName {
		t.Errorf("%+v", beside)
	}
}

// TestPushTellsBeside: a delivery tells the counts of its tweets and of those inside them, as of
// its own time, and nothing when it has none.
func TestPushTellsBeside(t *testing.T) {
	t.Parallel()
	const body = `{"event_type":"tweet","rule_id":"r","timestamp":%s,"tweets":[
		{"id":"1981517640000000000","inReplyToId":"1981517630000000000","likeCount":1,"retweetCount":1,"replyCount":1,"quoteCount":1,"createdAt":"Fri Oct 24 01:07:19 +0000 2025"},
		{"id":"1981517640000000001","inReplyToId":"no-id","likeCount":1,"createdAt":"Fri Oct 24 01:07:19 +0000 2025","quoted_tweet":` + quoted + `}]}`
	p, err := twitter.DecodePush(fmt.Appendf(nil, body, "1761268100000"))
	if err != nil || len(p.Tweets) != 2 || p.Tweets[0].ReplyTo != "1981517630000000000" || p.Tweets[1].ReplyTo != "" {
		t.Fatalf("%+v: %v", p, err)
	}
	beside := p.Beside()
	if len(beside) != 2 || beside[0].ID != "1981517640000000000" || beside[1].ID != "20" || beside[1].Metrics.Total() != 10 {
		t.Errorf("%+v", beside)
	}
	for _, e := range beside {
		if !e.At.Equal(time.UnixMilli(1761268100000)) || e.Provider != twitter.TwitterAPIName {
			t.Errorf("at %s of %s", e.At, e.Provider)
		}
	}
	// Before the tweet was posted, and without a time.
	for _, at := range []string{"1000", "null", `"now"`} {
		p, err := twitter.DecodePush(fmt.Appendf(nil, body, at))
		if err != nil || len(p.Beside()) > 0 {
			t.Errorf("%s: %+v, %v", at, p.Beside(), err)
		}
	}
}
