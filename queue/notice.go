package queue

import (
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// notice reads the server's announcement that a message was delivered maxDeliver
// times and is not delivered any more. The message itself stays in its stream
// until it is too old.
func (q *Queue) notice(d DeadLetter, m *jetstream.RawStreamMsg) DeadLetter {
	var body struct {
		Stream     string `json:"stream"`
		StreamSeq  uint64 `json:"stream_seq"`
		Deliveries int    `json:"deliveries"`
	}
	if err := json.Unmarshal(m.Data, &body); err != nil {
		d.Reason = fmt.Sprintf("unreadable notice of the server on %s: %v", m.Subject, err)
		return d
	}
	d.Lane = LaneBatch
	if body.Stream == q.names.refresh {
		d.Lane = LaneRefresh
	}
	d.Stream, d.StreamSeq, d.Deliveries = body.Stream, body.StreamSeq, body.Deliveries
	d.Reason = fmt.Sprintf("delivered %d times without an answer", body.Deliveries)
	return d
}
