package queue

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestKnownComesBackAsItWasSent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		sent := exampleBatch()
		sent.Known = &Known{At: sent.Until.Add(-time.Minute)}
		for range sent.Tweets {
			sent.Known.States = append(sent.Known.States, engagement.PriorState{
				Observed: rapid.Bool().Draw(rt, "observed"), InDoubt: rapid.Bool().Draw(rt, "in doubt"),
			})
		}
		body, err := sent.encode()
		if err != nil {
			rt.Fatal(err)
		}
		if got, err := decodeBatch(body, ""); err != nil || !reflect.DeepEqual(got, sent) {
			rt.Fatalf("%+v came back as %+v (%v)", sent, got, err)
		}
	})
}

// TestABatchWithoutAReadableKnownIsStillABatch: of an older version, of a newer one whose
// field has another form, of one that is damaged.
func TestABatchWithoutAReadableKnownIsStillABatch(t *testing.T) {
	t.Parallel()
	body, err := exampleBatch().encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{
		"", `null`, `[]`, `"x"`, `{}`,
		`{"v":2,"at":"2026-11-01T12:00:00Z","tweets":"0"}`,
		`{"v":2,"tweets":{"20":1}}`,
		`{"v":1,"at":"2026-11-01T12:00:00Z","tweets":"00"}`,
		`{"v":1,"at":"2026-11-01T12:00:00Z","tweets":"4"}`,
		`{"v":1,"at":"2026-11-01T12:00:00Z","tweets":" "}`,
		`{"v":1,"tweets":"0"}`,
	} {
		with := string(body)
		if field != "" {
			with = strings.TrimSuffix(with, "}") + `,"known":` + field + "}"
		}
		got, err := decodeBatch([]byte(with), "")
		if err != nil || got.Known != nil || !reflect.DeepEqual(got.Tweets, exampleBatch().Tweets) {
			t.Errorf("known %s: %+v, %v", field, got, err)
		}
	}
	wrong := exampleBatch()
	wrong.Known = &Known{At: wrong.Until}
	if _, err := wrong.encode(); err == nil {
		t.Error("a batch with the states of no tweet was sent")
	}
}

// A worker of the version before reads new messages: it takes no notice of the field.
func TestOlderWorkersReadNewBatches(t *testing.T) {
	t.Parallel()
	b := exampleBatch()
	b.Known = &Known{At: b.Until, States: make([]engagement.PriorState, 1)}
	body, err := b.encode()
	if err != nil {
		t.Fatal(err)
	}
	var old struct {
		V      int     `json:"v"`
		Tweets []Tweet `json:"tweets"`
	}
	if err := json.Unmarshal(body, &old); err != nil || old.V != 1 || !reflect.DeepEqual(old.Tweets, b.Tweets) {
		t.Errorf("read as %+v, %v", old, err)
	}
}

// arrived is a message of which only the metadata are looked at.
type arrived struct{ jetstream.Msg }

func (arrived) Metadata() (*jetstream.MsgMetadata, error) { return &jetstream.MsgMetadata{}, nil }

// TestAMessageThatWasWaitedForIsNotPrompt: it may have been under way for long, and have
// been redelivered meanwhile. What the server confirms later does not say that it was not.
func TestAMessageThatWasWaitedForIsNotPrompt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			waited    time.Duration
			prompt    bool
			confirmed bool // owned once the server has confirmed a keep-alive
		}{
			{0, true, true},
			{14 * time.Second, true, true},
			{15 * time.Second, false, true},
			{29 * time.Second, false, true},
			{30 * time.Second, false, false},
			{time.Hour, false, false},
		} {
			consumer := &consumer{ackWait: 30 * time.Second, asked: time.Now()}
			time.Sleep(c.waited) // in the bubble
			d, ok := consumer.delivery(arrived{})
			if !ok || d.Prompt() != c.prompt || d.StillOwned() != c.prompt {
				t.Errorf("waited %s: prompt %v, still owned %v", c.waited, d.Prompt(), d.StillOwned())
			}
			d.acks.extended(time.Now(), time.Now(), d.ackWait)
			if d.StillOwned() != c.confirmed {
				t.Errorf("waited %s, confirmed on arrival: still owned %v", c.waited, d.StillOwned())
			}
		}
	})
}
