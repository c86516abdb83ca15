package twitter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"gorgone/engagement"
	"gorgone/internal/jsonb"
)

// The types of events that twitterapi.io pushes.
const (
	EventTweet = "tweet"            // tweets that a filter rule found
	EventTest  = "test_webhook_url" // sent once, to see whether the address answers
)

// Push is a delivery of twitterapi.io to a webhook.
type Push struct {
	Event   string
	RuleID  string // of the filter rule that found the tweets
	RuleTag string
	At      time.Time // when the provider made it: its counts are of then; zero when it does not say
	Tweets  []Pushed

	// Skipped says of each element that is no usable tweet why it was left out.
	Skipped []error
}

// Pushed is a tweet that came by itself.
type Pushed struct {
	ID        string
	Text      string
	CreatedAt time.Time          // when it was posted
	Metrics   engagement.Metrics // counts that were not given or cannot be read are absent
	Raw       json.RawMessage    // the whole element; nil when Postgres could not store it
	Embedded  []Embedded         // the tweets that it quotes or repeats, where they came with all counts
	ReplyTo   string             // the tweet that it answers; empty: none
	Provider  string             // whose names its counts have: [TwitterAPIName] or [SocialDataName]

	whole bool // it has all counts that every tweet has
}

// DecodePush reads the body of a delivery. The error wraps [ErrMalformed] and is
// for deliveries of which nothing can be used; an element that is no tweet does not
// spoil the others.
//
// Real tweets have the names of the look-up (likeCount), the vendor's example has
// others (like_count); both are read, and those of SocialData (favorite_count), for products
// that pass its tweets on.
func DecodePush(body []byte) (Push, error) {
	var p Push
	r := newReader(body)
	object, err := r.members(func(name []byte) (err error) {
		switch string(name) {
		case "event_type":
			p.Event, err = r.string()
		case "rule_id":
			var v []byte
			v, err = r.id()
			p.RuleID = string(v)
		case "timestamp":
			var v []byte
			if v, err = r.id(); err == nil {
				p.At = pushedAt(v)
			}
		case "rule_tag":
			p.RuleTag, err = r.string()
		case "tweets":
			p.Tweets, p.Skipped = nil, nil
			_, err = r.elements(func() error { return pushedTweet(r, &p) })
		default:
			err = r.skip()
		}
		return err
	})
	if err == nil {
		err = r.end()
	}
	switch {
	case err != nil:
		return Push{}, fmt.Errorf("%w: %s", ErrMalformed, strings.TrimPrefix(err.Error(), "jsontext: "))
	case !object:
		return Push{}, fmt.Errorf("%w: not a JSON object", ErrMalformed)
	case p.Event != EventTweet && p.Event != EventTest:
		return Push{}, fmt.Errorf("%w: event type %q, want %s or %s", ErrMalformed, bounded(p.Event), EventTweet, EventTest)
	case p.Event == EventTweet && p.RuleID == "":
		return Push{}, fmt.Errorf("%w: it does not say which rule found the tweets", ErrMalformed)
	}
	return p, nil
}

// pushedAt reads the time of a delivery, in milliseconds since 1970.
func pushedAt(v []byte) time.Time {
	ms, ok := wholeNumber(string(v))
	if !ok || ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// string reads a string that is kept; "" for any other value.
func (r *reader) string() (string, error) {
	v, err := r.text()
	return strings.ToValidUTF8(string(v), "\uFFFD"), err
}

// pushedTweet reads one element.
func pushedTweet(r *reader, p *Push) error {
	value, err := r.ReadValue()
	if err != nil {
		return err
	}
	raw := value.Clone()
	n := len(p.Tweets) + len(p.Skipped) + 1
	t, err := readPushed(raw)
	if err != nil {
		p.Skipped = append(p.Skipped, fmt.Errorf("tweet %d of the delivery: %w", n, err))
		return nil // the element is at fault, the delivery is not
	}
	t.Raw = storable(raw)
	p.Tweets = append(p.Tweets, t)
	return nil
}

func readPushed(element []byte) (t Pushed, err error) {
	var c counters
	var id elementID
	t.Provider = TwitterAPIName
	r := newReader(element)
	object, err := r.members(func(name []byte) (err error) {
		switch string(name) {
		case "id":
			err = id.read(r)
		case "id_str":
			err = id.readText(r)
		case "text", "full_text":
			var text string
			if text, err = r.string(); text != "" { // SocialData gives one of the two, and null for the other
				t.Text = text
			}
		case "createdAt", "created_at", "tweet_created_at":
			var v []byte
			v, err = r.text()
			t.CreatedAt = parseTime(v)
		case "retweetCount", "retweet_count":
			err = c.read(r, retweets)
		case "replyCount", "reply_count":
			err = c.read(r, replies)
		case "likeCount", "like_count":
			err = c.read(r, likes)
		case "favorite_count":
			t.Provider = SocialDataName
			err = c.read(r, likes)
		case "quoteCount", "quote_count":
			err = c.read(r, quotes)
		case "viewCount", "view_count", "views_count":
			err = c.read(r, views)
		case "bookmarkCount", "bookmark_count":
			err = c.read(r, bookmarks)
		case "quoted_tweet", "retweeted_tweet", "quoted_status", "retweeted_status":
			var e Embedded
			var ok bool
			if e, ok, err = r.embedded(); ok {
				t.Embedded = append(t.Embedded, e)
			}
		case "inReplyToId", "in_reply_to_status_id_str":
			var v []byte
			v, err = r.id()
			t.ReplyTo = string(v)
		default:
			err = r.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return t, err
	case !object:
		return t, fmt.Errorf("%w: not an object", ErrMalformed)
	}
	t.ID = string(id.value())
	if err := engagement.CheckTweetID(t.ID); err != nil {
		return t, err
	}
	if engagement.CheckTweetID(t.ReplyTo) != nil {
		t.ReplyTo = ""
	}
	t.Text = strings.ReplaceAll(t.Text, "\x00", "")
	if t.CreatedAt.IsZero() {
		if t.CreatedAt, err = engagement.TweetCreatedAt(t.ID); err != nil {
			return t, fmt.Errorf("it does not say when it was posted: %w", err)
		}
	}
	var unreadable []engagement.Counter
	t.Metrics, unreadable = c.metrics()
	t.whole = len(unreadable) == 0
	return t, nil
}

// storable makes JSON fit for a jsonb column, which takes neither half an emoji
// nor a zero byte, nor every number. It returns nil when it can not.
func storable(value jsontext.Value) json.RawMessage {
	err := value.Format(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true), jsontext.PreserveRawStrings(false))
	valid := bytes.ToValidUTF8(value, []byte("\uFFFD"))
	if err != nil || jsonb.Check(valid) != nil {
		return nil
	}
	return json.RawMessage(valid)
}

// Beside returns what the delivery tells of the counts of tweets that may be tracked: its own and
// those that they embed, at the time of the delivery. A delivery without a time tells nothing,
// since it may be an old one that is made again.
func (p *Push) Beside() (all []Embedded) {
	if p.At.IsZero() {
		return nil
	}
	add := func(e Embedded, of Pushed) {
		e.Provider = of.Provider
		if e.At = p.At; !e.CreatedAt.After(p.At) {
			all = append(all, e)
		}
	}
	for _, t := range p.Tweets {
		if t.whole {
			add(Embedded{ID: t.ID, Metrics: t.Metrics, CreatedAt: t.CreatedAt}, t)
		}
		for _, e := range t.Embedded {
			add(e, t)
		}
	}
	return all
}
