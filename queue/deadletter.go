package queue

import (
	"context"
	"errors"
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
	seq := strconv.FormatUint(d.meta.Sequence.Stream, 10)
	m := &nats.Msg{Subject: d.q.names.deadOf(d.lane), Data: d.msg.Data(), Header: nats.Header{}}
	maps.Copy(m.Header, d.msg.Headers())
	m.Header.Set(headerMsgID, m.Header.Get(jetstream.MsgIDHeader))
	m.Header.Set(headerReason, oneLine(reason))
	m.Header.Set(headerFirstSeen, d.meta.Timestamp.UTC().Format(time.RFC3339Nano))
	m.Header.Set(headerDeliveries, strconv.Itoa(d.Deliveries()))
	m.Header.Set(headerSubject, d.msg.Subject())
	m.Header.Set(headerStream, d.meta.Stream)
	m.Header.Set(headerStreamSeq, seq)
	m.Header.Set(jetstream.MsgIDHeader, "dlq-"+d.meta.Stream+"-"+seq)
	if err := d.q.publish(ctx, m); err != nil {
		return fmt.Errorf("dead-letter %s: %w", d.name(), err)
	}
	if err := d.msg.TermWithReason(oneLine(reason)); err != nil {
		return fmt.Errorf("drop %s after dead-lettering it: %w", d.name(), plain(err))
	}
	return nil
}

// oneLine makes a text fit for a header.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > maxReason {
		s = strings.ToValidUTF8(s[:maxReason], "")
	}
	return s
}

// DeadLetters lists the newest dead letters, newest first, at most limit.
func (q *Queue) DeadLetters(ctx context.Context, limit int) ([]DeadLetter, error) {
	stream, err := q.js.Stream(ctx, q.names.dead)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", plain(err))
	}
	state := stream.CachedInfo().State
	var list []DeadLetter
	for seq := state.LastSeq; seq >= max(state.FirstSeq, 1) && len(list) < limit && state.Msgs > 0; seq-- {
		m, err := stream.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read dead letter %d: %w", seq, plain(err))
		}
		list = append(list, q.deadLetter(m))
	}
	return list, nil
}

func (q *Queue) deadLetter(m *jetstream.RawStreamMsg) DeadLetter {
	d := DeadLetter{Seq: m.Sequence, At: m.Time}
	lane, ours := strings.CutPrefix(m.Subject, q.names.deadOf(""))
	if !ours {
		return q.notice(d, m)
	}
	d.Lane = Lane(lane)
	d.Reason = m.Header.Get(headerReason)
	d.Subject = m.Header.Get(headerSubject)
	d.MsgID = m.Header.Get(headerMsgID)
	d.Stream = m.Header.Get(headerStream)
	d.Body = m.Data
	// What an operator put there by hand may lack these: they stay zero.
	d.Deliveries, _ = strconv.Atoi(m.Header.Get(headerDeliveries))
	d.StreamSeq, _ = strconv.ParseUint(m.Header.Get(headerStreamSeq), 10, 64)
	d.FirstSeen, _ = time.Parse(time.RFC3339Nano, m.Header.Get(headerFirstSeen))
	return d
}
