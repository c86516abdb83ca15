package twitter_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gorgone/engagement"
	"gorgone/twitter"
)

const delivery = `{"event_type":"tweet","rule_id":"r1","rule_tag":"topic","timestamp":1761268000000,"tweets":[
	{"type":"tweet","id":"1981517640000000000","text":"one \ud83d","createdAt":"Fri Oct 24 01:07:19 +0000 2025",
	 "retweetCount":1,"replyCount":2,"likeCount":3,"quoteCount":4,"viewCount":500,"bookmarkCount":null,"author":{"id":"7"}},
	{"id_str":"1981517640000000001","text":"two","created_at":"2025-10-24T01:07:19Z","like_count":9},
	{"id":1981517640000000002,"text":"three","likeCount":"many"},
	{"text":"no id"},
	"nothing",
	{"id":"1981517640000000003","text":"no time","likeCount":-1},
	{"id":"1981517640000000004","text":"zero \u0000","likeCount":1}
]}`

func TestDecodePush(t *testing.T) {
	t.Parallel()
	p, err := twitter.DecodePush([]byte(delivery))
	if err != nil {
		t.Fatal(err)
	}
	if p.Event != twitter.EventTweet || p.RuleID != "r1" || p.RuleTag != "topic" || len(p.Tweets) != 5 || len(p.Skipped) != 2 {
		t.Fatalf("read %+v", p)
	}
	posted := time.Date(2025, 10, 24, 1, 7, 19, 0, time.UTC)
	k := engagement.Known
	first := p.Tweets[0]
	want := engagement.Metrics{Retweets: k(1), Replies: k(2), Likes: k(3), Quotes: k(4), Views: k(500)}
	if first.ID != "1981517640000000000" || !first.CreatedAt.Equal(posted) || first.Metrics != want || !utf8.ValidString(first.Text) {
		t.Errorf("first: %+v", first)
	}
	if !json.Valid(first.Raw) || strings.Contains(string(first.Raw), `\ud83d`) {
		t.Errorf("raw: %s", first.Raw)
	}
	if second := p.Tweets[1]; second.Metrics != (engagement.Metrics{Likes: k(9)}) || !second.CreatedAt.Equal(posted) {
		t.Errorf("second: %+v", second)
	}
	for _, w := range p.Tweets[2:4] {
		if w.Metrics.Known() || w.ID == "" {
			t.Errorf("with a counter that cannot be read: %+v", w)
		}
	}
	if last := p.Tweets[4]; last.Raw != nil || last.Text != "zero " {
		t.Errorf("with a zero byte: %+v", last)
	}
}

func TestDecodePushOfATest(t *testing.T) {
	t.Parallel()
	if p, err := twitter.DecodePush([]byte(`{"event_type":"test_webhook_url"}`)); err != nil || p.Event != twitter.EventTest {
		t.Errorf("%+v %v", p, err)
	}
}

func TestDecodePushRefuses(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		``, `[]`, `"tweet"`, `{"event_type":"tweet"}`, `{"event_type":"other","rule_id":"1"}`, `{"event_type":"tweet","rule_id":"1"`, `{"event_type":"tweet","rule_id":"1"}x`,
	} {
		if _, err := twitter.DecodePush([]byte(body)); !errors.Is(err, twitter.ErrMalformed) {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func FuzzDecodePush(f *testing.F) {
	f.Add([]byte(delivery))
	f.Add([]byte(`{"event_type":"test_webhook_url"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := twitter.DecodePush(body)
		if err != nil {
			return
		}
		for _, w := range p.Tweets {
			if engagement.CheckTweetID(w.ID) != nil || w.CreatedAt.IsZero() || !utf8.ValidString(w.Text) || strings.ContainsRune(w.Text, 0) || w.Metrics.Validate() != nil {
				t.Fatalf("unusable: %+v", w)
			}
			if w.Raw != nil && (!json.Valid(w.Raw) || !utf8.Valid(w.Raw)) {
				t.Fatalf("raw data that can not be stored: %q", w.Raw)
			}
		}
	})
}
