package queue

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of a dead letter, in addition to those of the message itself.
const (
	headerReason     = "Eng-Reason"
	headerFirstSeen  = "Eng-First-Seen"
	headerDeliveries = "Eng-Deliveries"
	headerSubject    = "Eng-Subject"
	headerMsgID      = "Eng-Msg-Id"
	headerStream     = "Eng-Stream"
	headerStreamSeq  = "Eng-Stream-Seq"
)

// maxReason is the maximum length of a reason in bytes.
const maxReason = 2048

// DeadLetter is one entry of the dead-letter stream.
type DeadLetter struct {
	Seq        uint64    // sequence number in the dead-letter stream
	Class      Class     // where the message came from
	Reason     string    // why it could not be handled
	Deliveries int       // how often it was delivered; 0: unknown
	FirstSeen  time.Time // when it was published; zero: unknown
	At         time.Time // when it was dead-lettered
	Subject    string    // subject it was published on
	MsgID      string    // id it was published with; may be empty
	Stream     string    // stream it came from
	StreamSeq  uint64    // its sequence number there
	Body       []byte    // of the message; nil if the message was not kept
}

// DeadLetter moves the message to the dead-letter stream, with the reason. The message
// is removed from its own stream only after the copy is stored, which happens once.
func (d *Delivery) DeadLetter(ctx context.Context, reason string) error {
	letter := DeadLetter{
		Class: d.class, Reason: reason, Deliveries: d.Deliveries(), FirstSeen: d.meta.Timestamp,
		Subject: d.msg.Subject(), MsgID: d.msg.Headers().Get(jetstream.MsgIDHeader),
		Stream: d.meta.Stream, StreamSeq: d.meta.Sequence.Stream, Body: d.msg.Data(),
	}
	if err := d.q.publish(ctx, d.q.deadLetterMessage(letter, d.msg.Headers())); err != nil {
		return fmt.Errorf("dead-letter %s: %w", d.name(), err)
	}
	if err := d.msg.TermWithReason(oneLine(reason)); err != nil {
		return fmt.Errorf("drop %s after dead-lettering it: %w", d.name(), plain(err))
	}
	return nil
}

// deadLetterMessage returns the message to store for a dead letter; headers are those of
// the original message.
func (q *Queue) deadLetterMessage(d DeadLetter, headers nats.Header) *nats.Msg {
	seq := strconv.FormatUint(d.StreamSeq, 10)
	m := &nats.Msg{Subject: q.names.deadOf(d.Class), Data: d.Body, Header: nats.Header{}}
	maps.Copy(m.Header, headers)
	m.Header.Set(headerMsgID, d.MsgID)
	m.Header.Set(headerReason, oneLine(d.Reason))
	m.Header.Set(headerFirstSeen, d.FirstSeen.UTC().Format(time.RFC3339Nano))
	m.Header.Set(headerDeliveries, strconv.Itoa(d.Deliveries))
	m.Header.Set(headerSubject, d.Subject)
	m.Header.Set(headerStream, d.Stream)
	m.Header.Set(headerStreamSeq, seq)
	m.Header.Set(jetstream.MsgIDHeader, "dlq-"+d.Stream+"-"+seq)
	return m
}

// oneLine turns a text into one line of at most maxReason bytes, fit for a header.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}
