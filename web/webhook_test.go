package web_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/twitter"
	"gorgone/web"
)

// decodePush is what the command puts between the two packages.
func decodePush(body []byte) (web.Push, error) {
	p, err := twitter.DecodePush(body)
	push := web.Push{Test: p.Event == twitter.EventTest, RuleID: p.RuleID}
	for _, t := range p.Tweets {
		push.Tweets = append(push.Tweets, store.NewTweet{TweetID: t.ID, CreatedAt: t.CreatedAt, Text: t.Text, Metrics: t.Metrics, Raw: t.Raw})
	}
	for _, why := range p.Skipped {
		push.Skipped = append(push.Skipped, why.Error())
	}
	return push, err
}

type trackAnswer struct {
	Success bool
	ZoneID  uuid.UUID `json:"zone_id"`
	Tracked int
	Already int `json:"already_tracked"`
	Data    []struct {
		ID     string     `json:"tweet_id"`
		Row    *uuid.UUID `json:"id"`
		Status string
	}
	Skipped []string
}

func TestTrack(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	body := fmt.Sprintf(`{"zone_id":%q,"tweet_ids":["1981517640000000001"],"tweets":[
		{"tweet_id":"1981517640000000002","created_at":"2026-01-01T00:00:00Z","text":"a","metrics":{"like_count":5,"retweet_count":1},"raw":{"a":1}}]}`, e.zone)
	var a trackAnswer
	e.ok(200, "POST", "/api/twitter/tweets", e.service, body).into(t, &a)
	if a.Tracked != 2 || a.ZoneID != e.zone || a.Data[0].ID != "1981517640000000002" || a.Data[0].Row == nil {
		t.Errorf("%+v", a)
	}
	if n := e.count(`select count(*) from twitter_engagement_history where like_count = 5`); n != 1 {
		t.Error("the counts given are not the baseline")
	}
	a = trackAnswer{}
	e.ok(200, "POST", "/api/twitter/tweets", scopedToken("track"), body).into(t, &a)
	if a.Tracked != 0 || a.Already != 2 {
		t.Errorf("again: %+v", a)
	}
	for _, bad := range []string{
		`{}`, fmt.Sprintf(`{"zone_id":%q}`, e.zone), fmt.Sprintf(`{"zone_id":%q,"tweet_ids":["x"]}`, e.zone),
		fmt.Sprintf(`{"zone_id":%q,"tweet_ids":["7"]}`, e.zone), `{"zone_id":"x","tweet_ids":["1981517640000000001"]}`,
		fmt.Sprintf(`{"zone_id":%q,"tweets":[{"tweet_id":"1981517640000000009","metrics":{"like_count":-1}}]}`, e.zone),
		fmt.Sprintf(`{"zone_id":%q,"tweets":[{"tweet_id":"1981517640000000009","metrics":{"like_count":3000000000}}]}`, e.zone),
		fmt.Sprintf(`{"zone_id":%q,"tweet_ids":[%s"1"]}`, e.zone, strings.Repeat(`"1981517640000000001",`, 1000)),
	} {
		e.ok(400, "POST", "/api/twitter/tweets", e.service, bad)
	}
	e.ok(404, "POST", "/api/twitter/tweets", e.service, fmt.Sprintf(`{"zone_id":%q,"tweet_ids":["1981517640000000001"]}`, uuid.New()))
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	e.exec(`insert into twitter_rules (zone_id, tag, query, external_rule_id) values ($1, 'topic', 'q', 'r1')`, e.zone)
	post := func(status int, body string) (a trackAnswer) {
		t.Helper()
		e.ok(status, "POST", "/api/webhooks/twitter", "", body, "X-API-Key", webhookKey).into(t, &a)
		return a
	}
	post(200, `{"event_type":"test_webhook_url"}`)
	const body = `{"event_type":"tweet","rule_id":"r1","rule_tag":"topic","timestamp":1761268000000,"tweets":[
		{"type":"tweet","id":"1981517640000000000","text":"one","createdAt":"Fri Oct 24 01:07:19 +0000 2025","retweetCount":1,"replyCount":2,"likeCount":3,"quoteCount":4,"viewCount":500,"author":{"id":"7"}},
		{"id":"1981517640000000001","text":"two","likeCount":"many"},
		{"id":"1981517640000000002","text":"huge","likeCount":2000000000,"replyCount":2000000000},
		{"id":"no id","text":"three"}]}`
	a := post(200, body)
	if a.Tracked != 3 || len(a.Skipped) != 1 || a.ZoneID != e.zone {
		t.Errorf("%+v", a)
	}
	if n := e.count(`select count(*) from twitter_engagement_history h join twitter_tweets w on w.id = h.tweet_id where h.view_count = 500 and w.raw_data->'author'->>'id' = '7'`); n != 1 {
		t.Error("the pushed counts are not the baseline, or the tweet was not kept")
	}
	if a := post(200, body); a.Tracked != 0 || a.Already != 3 {
		t.Errorf("pushed again: %+v", a)
	}
	post(404, strings.Replace(body, "r1", "r2", 1))
	post(400, `{"event_type":"other"}`)
	post(400, `nonsense`)
	e.exec(`update twitter_rules set is_active = false`)
	post(404, body)
	e.ok(401, "POST", "/api/webhooks/twitter", e.service, `{"event_type":"test_webhook_url"}`)
}

// badRaw is data that Postgres cannot store, each for another reason.
var badRaw = []string{`{"a":"\ud800"}`, `{"a":1e200000}`, `{"a":"\u0000"}`, `{"a":1e-20000}`}

// TestOneBadTweetCostsNoOther: it is named, and the others are tracked.
func TestOneBadTweetCostsNoOther(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	e.exec(`insert into twitter_rules (zone_id, tag, query, external_rule_id) values ($1, 'topic', 'q', 'r1')`, e.zone)
	const good, bad, refused = "1981517640000000001", "1981517640000000002", "1981517640000000003"
	// What a trigger of the product's refuses, no check of ours can know.
	e.exec(`create function refuse() returns trigger language plpgsql as $$ begin
		if new.tweet_id = '` + refused + `' then raise exception 'not this one'; end if; return new; end $$`)
	e.exec(`create trigger refuse before insert on twitter_tweets for each row execute function refuse()`)
	for i, raw := range badRaw {
		var a trackAnswer
		alone := fmt.Sprintf(`{"zone_id":%q,"tweets":[{"tweet_id":%q,"raw":%s}]}`, e.zone, bad, raw)
		if got := e.ok(400, "POST", "/api/twitter/tweets", e.service, alone); !strings.Contains(string(got.body), bad) {
			t.Errorf("%s: the culprit is not named: %s", raw, got.body)
		}
		id := fmt.Sprint(1981517640000000010 + i)
		e.ok(200, "POST", "/api/twitter/tweets", e.service, fmt.Sprintf(`{"zone_id":%q,"tweets":[{"tweet_id":"7"},{"tweet_id":%q},{"tweet_id":%q,"raw":%s},{"tweet_id":%q}]}`,
			e.zone, id, bad, raw, refused)).into(t, &a)
		if a.Tracked != 1 || len(a.Data) != 1 || a.Data[0].ID != id || len(a.Skipped) != 3 ||
			!strings.Contains(a.Skipped[0], "tweet 1 of 4") || !strings.Contains(a.Skipped[1], bad) || !strings.Contains(a.Skipped[2], refused) {
			t.Errorf("%s: %+v", raw, a)
		}
	}
	var a trackAnswer
	e.ok(200, "POST", "/api/webhooks/twitter", "", fmt.Sprintf(`{"event_type":"tweet","rule_id":"r1","tweets":[{"id":%q,"x":1e200000},{"id":%q}]}`, good, refused), "X-API-Key", webhookKey).into(t, &a)
	if a.Tracked != 1 || a.Data[0].ID != good || len(a.Skipped) != 1 || !strings.Contains(a.Skipped[0], refused) {
		t.Errorf("pushed: %+v", a)
	}
	a2 := e.ok(404, "POST", "/api/webhooks/twitter", "", `{"event_type":"tweet","rule_id":"r\u00001","tweets":[]}`, "X-API-Key", webhookKey)
	if !strings.Contains(string(a2.body), "filter rule") {
		t.Errorf("a null in the rule's id: %s", a2.body)
	}
}

func TestWebhookWithoutTweets(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{})
	e.exec(`insert into twitter_rules (zone_id, tag, query, external_rule_id) values ($1, 'topic', 'q', 'r1')`, e.zone)
	var a trackAnswer
	e.ok(200, "POST", "/api/webhooks/twitter", "", `{"event_type":"tweet","rule_id":"r1","tweets":[]}`, "X-API-Key", webhookKey).into(t, &a)
	if a.Tracked != 0 || !a.Success {
		t.Errorf("no tweets: %+v", a)
	}
}
