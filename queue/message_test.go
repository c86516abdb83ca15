package queue

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

func exampleBatch() Batch {
	return Batch{
		ID:     uuid.MustParse("f47ac10b-58cc-4372-a567-0e02b2c3d479"),
		Until:  time.Date(2026, 11, 1, 12, 3, 0, 123456000, time.UTC),
		Tweets: []Tweet{{ID: "1984567890123456789", Rows: []uuid.UUID{uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")}}},
	}
}

// The schema is read by workers of other versions: it must not change by accident.
func TestSchema(t *testing.T) {
	t.Parallel()
	batch, err := exampleBatch().encode()
	if err != nil {
		t.Fatal(err)
	}
	withKnown := exampleBatch()
	withKnown.Known = &Known{At: withKnown.Until.Add(-3 * time.Minute), States: []engagement.PriorState{{Observed: true, InDoubt: true}}}
	known, err := withKnown.encode()
	if err != nil {
		t.Fatal(err)
	}
	refresh, err := Refresh{
		RequestID:   exampleBatch().ID,
		TweetID:     "20",
		RequestedAt: exampleBatch().Until,
		Deadline:    exampleBatch().Until.Add(time.Second),
	}.encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, got, want string }{
		{"batch", string(batch), `{"v":1,"id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","until":"2026-11-01T12:03:00.123456Z","tweets":[{"id":"1984567890123456789","rows":["6ba7b810-9dad-11d1-80b4-00c04fd430c8"]}]}`},
		{"batch with what is known", string(known), `{"v":1,"id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","until":"2026-11-01T12:03:00.123456Z","tweets":[{"id":"1984567890123456789","rows":["6ba7b810-9dad-11d1-80b4-00c04fd430c8"]}],"known":{"v":1,"at":"2026-11-01T12:00:00.123456Z","tweets":"3"}}`},
		{"refresh", string(refresh), `{"v":1,"request_id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","tweet_id":"20","requested_at":"2026-11-01T12:03:00.123456Z","deadline":"2026-11-01T12:03:01.123456Z"}`},
	} {
		if c.got != c.want {
			t.Errorf("%s is\n%s, want\n%s", c.name, c.got, c.want)
		}
	}
}

func TestDecodeBounds(t *testing.T) {
	t.Parallel()
	if _, err := decodeBatch(make([]byte, maxBatchBytes+1), ""); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large batch gives %v", err)
	}
	if _, err := decodeRefresh(make([]byte, maxRefreshBytes+1), "20"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a large refresh gives %v", err)
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                        "",
		" a\r\nNats-Msg-Id: x\t ": "a Nats-Msg-Id: x",
		"a\xffb":                  "a?b",
		strings.Repeat("é", 2000): strings.Repeat("é", maxReason/2),
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%.20q) is %.40q, want %.40q", in, got, want)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	body, err := exampleBatch().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte(`{"v":1,"tweets":[{}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := decodeBatch(body, "")
		if err != nil {
			return
		}
		for _, tweet := range b.Tweets {
			if engagement.CheckTweetID(tweet.ID) != nil || len(tweet.Rows) == 0 {
				t.Fatalf("accepted %+v", tweet)
			}
		}
		again, err := b.encode()
		if errors.Is(err, ErrTooLarge) {
			return
		}
		if err != nil {
			t.Fatalf("accepted a batch that cannot be sent: %v", err)
		}
		if b2, err := decodeBatch(again, ""); err != nil || b2.ID != b.ID || !b2.Until.Equal(b.Until) || !reflect.DeepEqual(b2.Tweets, b.Tweets) || !reflect.DeepEqual(b2.Known, b.Known) {
			t.Fatalf("%+v came back as %+v, %v", b, b2, err)
		}
	})
}

func FuzzDecodeRefresh(f *testing.F) {
	f.Add([]byte(`{"v":1,"request_id":"f47ac10b-58cc-4372-a567-0e02b2c3d479","tweet_id":"20","requested_at":"2026-11-01T12:03:00Z"}`), "20")
	f.Add([]byte(`{"v":1}`), "")
	f.Fuzz(func(t *testing.T, body []byte, tweet string) {
		r, err := decodeRefresh(body, tweet)
		if err != nil {
			return
		}
		if r.TweetID != tweet || engagement.CheckTweetID(tweet) != nil {
			t.Fatalf("accepted %+v on the subject of %q", r, tweet)
		}
		if _, err := r.encode(); err != nil {
			t.Fatalf("accepted a refresh that cannot be sent: %v", err)
		}
	})
}
