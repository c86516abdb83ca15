package queue

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// What the web server is told of looks at tweets.
func FuzzDecodeSeen(f *testing.F) {
	f.Add([]byte(`[{"tweet_id":"20","tier":"hot","next_update_at":"2026-11-01T12:00:00Z"}]`))
	f.Add([]byte(`[{"before":{"likes":-1}}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		seen, err := DecodeUpdates(body)
		if err != nil {
			return
		}
		if _, err := json.Marshal(seen); err != nil {
			t.Fatalf("accepted an event that cannot be passed on: %v", err)
		}
	})
}

// A dead letter is read whatever is in it: an operator may have put it there.
func FuzzDeadLetter(f *testing.F) {
	f.Add("eng.dlq.batch", "too often", "3", "2026-11-01T12:00:00Z", "7", []byte(`{}`))
	f.Add("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.ENG_BATCH.workers", "", "", "", "", []byte(`{"stream":"ENG_BATCH","stream_seq":5,"deliveries":50}`))
	q := &Queue{names: newNames("ENG")}
	f.Fuzz(func(t *testing.T, subject, reason, deliveries, first, seq string, body []byte) {
		h := nats.Header{}
		h.Set(headerReason, reason)
		h.Set(headerDeliveries, deliveries)
		h.Set(headerFirstSeen, first)
		h.Set(headerStreamSeq, seq)
		d := q.readDeadLetter(&jetstream.RawStreamMsg{Subject: subject, Sequence: 9, Header: h, Data: body, Time: time.Unix(1, 0)})
		if d.Seq != 9 || !d.At.Equal(time.Unix(1, 0)) {
			t.Fatalf("%+v", d)
		}
	})
}
