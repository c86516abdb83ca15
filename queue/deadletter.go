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

// Headers of a dead letter. Headers of the message itself are kept beside them.
const (
	headerReason     = "Eng-Reason"
	headerFirstSeen  = "Eng-First-Seen"
	headerDeliveries = "Eng-Deliveries"
	headerSubject    = "Eng-Subject"
	headerMsgID      = "Eng-Msg-Id"
	headerStream     = "Eng-Stream"
	headerStreamSeq  = "Eng-Stream-Seq"
)

// maxReason is how many bytes of a reason are kept.
const maxReason = 2048

// DeadLetter is one entry of the dead-letter stream.
type DeadLetter struct {
	Seq        uint64    // place in the dead-letter stream
	Lane       Lane      // where the message came from
	Reason     string    // why it could not be handled
	Deliveries int       // how often it had been delivered; 0: not known
	FirstSeen  time.Time // when it was published; zero: not known
	At         time.Time // when it was given up
	Subject    string    // subject it was published on
	MsgID      string    // id it was published with; may be empty
	Stream     string    // stream it came from, and
	StreamSeq  uint64    // its place there
	Body       []byte    // the message; nil for a server's notice of one
}

// DeadLetter moves the message to the dead-letter stream, with the reason. It is
// removed from its lane only once the copy is stored; a copy is stored once.
func (d *Delivery) DeadLetter(ctx context.Context, reason string) error {
	letter := DeadLetter{
		Lane: d.lane, Reason: reason, Deliveries: d.Deliveries(), FirstSeen: d.meta.Timestamp,
		Subject: d.msg.Subject(), MsgID: d.msg.Headers().Get(jetstream.MsgIDHeader),
		Stream: d.meta.Stream, StreamSeq: d.meta.Sequence.Stream, Body: d.msg.Data(),
	}
	if err := d.q.publish(ctx, d.q.deadLetterOf(letter, d.msg.Headers())); err != nil {
		return fmt.Errorf("dead-letter %s: %w", d.name(), err)
	}
	if err := d.msg.TermWithReason(oneLine(reason)); err != nil {
		return fmt.Errorf("drop %s after dead-lettering it: %w", d.name(), plain(err))
	}
	return nil
}

// deadLetterOf returns the message that keeps a dead letter, beside the headers
// that it had.
func (q *Queue) deadLetterOf(d DeadLetter, headers nats.Header) *nats.Msg {
	seq := strconv.FormatUint(d.StreamSeq, 10)
	m := &nats.Msg{Subject: q.names.deadOf(d.Lane), Data: d.Body, Header: nats.Header{}}
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

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}
