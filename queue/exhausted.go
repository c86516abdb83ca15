package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// exhaustedName is the one durable consumer of the server's notices of messages
// that it gave up on.
const exhaustedName = "exhausted"

// ExhaustedInbox takes the messages that the server has given up delivering
// because they came to [maxDeliver] deliveries. It leaves such a message in its
// stream for ever, where it blocks the refreshes of its tweet. Its methods but
// Stop are for one goroutine.
type ExhaustedInbox struct{ *inbox }

// Exhausted opens the notices of messages given up for taking. Any number of
// processes may do so: each notice goes to one.
func (q *Queue) Exhausted(ctx context.Context) (*ExhaustedInbox, error) {
	in, err := q.openInbox(ctx, LaneDead, q.names.dead, exhaustedName, q.cfg.AckWait)
	if err != nil {
		return nil, err
	}
	return &ExhaustedInbox{in}, nil
}

func (q *Queue) exhaustedConsumer(c *jetstream.ConsumerConfig) {
	c.Name, c.Durable = exhaustedName, exhaustedName
	c.AckPolicy = jetstream.AckExplicitPolicy
	c.DeliverPolicy = jetstream.DeliverAllPolicy
	c.FilterSubjects = []string{exhausted(q.names.batch), exhausted(q.names.refresh)}
	c.AckWait = q.cfg.AckWait
	c.MaxDeliver = -1 // a notice is worked off or it is too old
	if c.MaxWaiting == 0 {
		c.MaxWaiting = maxWaiting
	}
}

// Exhausted is a message that the server has given up delivering. End it with Bury
// or, to have it come again, with Nak.
type Exhausted struct {
	Delivery // of the server's notice
	letter   DeadLetter
	orphan   *jetstream.RawStreamMsg // nil: it is gone
}

// Letter returns what Bury makes a dead letter of. Its body is nil when the message
// is gone.
func (e *Exhausted) Letter() DeadLetter { return e.letter }

// Next waits for a message that was given up. It ends as [BatchInbox.Next] does.
func (in *ExhaustedInbox) Next(ctx context.Context) (*Exhausted, error) {
	for {
		msg, err := in.next(ctx)
		if err != nil {
			return nil, err
		}
		d, ok := in.delivery(msg)
		if !ok {
			continue
		}
		e := &Exhausted{Delivery: d}
		if e.letter, e.orphan, err = in.q.exhaustedMessage(ctx, d); err != nil {
			in.q.log.Warn().Err(err).Msg("could not read a message that was given up, trying again")
			if err := d.Nak(minReopenPause << 4); err != nil {
				in.q.log.Warn().Err(err).Msg("give back a notice")
			}
			continue
		}
		return e, nil
	}
}

// advisory is what the server says of a message that was delivered too often.
type advisory struct {
	Stream     string `json:"stream"`
	StreamSeq  uint64 `json:"stream_seq"`
	Deliveries int    `json:"deliveries"`
}

func (a advisory) reason() string {
	return fmt.Sprintf("delivered %d times without an answer", a.Deliveries)
}

// exhaustedMessage reads the message that a notice is about.
func (q *Queue) exhaustedMessage(ctx context.Context, notice Delivery) (letter DeadLetter, orphan *jetstream.RawStreamMsg, err error) {
	letter = DeadLetter{Seq: notice.meta.Sequence.Stream, At: notice.meta.Timestamp}
	var a advisory
	if err := json.Unmarshal(notice.msg.Data(), &a); err != nil {
		letter.Reason = fmt.Sprintf("unreadable notice of the server: %v", err)
		return letter, nil, nil
	}
	letter.Lane, letter.Stream, letter.StreamSeq = q.laneOf(a.Stream), a.Stream, a.StreamSeq
	letter.Deliveries, letter.Reason = a.Deliveries, a.reason()
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	stream, err := q.js.Stream(ctx, a.Stream)
	if err != nil {
		return letter, nil, fmt.Errorf("look for stream %s: %w", a.Stream, plain(err))
	}
	orphan, err = stream.GetMsg(ctx, a.StreamSeq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return letter, nil, nil // acked late, or too old
	case err != nil:
		return letter, nil, fmt.Errorf("read message %d of %s: %w", a.StreamSeq, a.Stream, plain(err))
	case orphan.Time.After(letter.At):
		return letter, nil, nil // of a stream that was made anew since
	}
	letter.Subject, letter.FirstSeen, letter.Body = orphan.Subject, orphan.Time, orphan.Data
	letter.MsgID = orphan.Header.Get(jetstream.MsgIDHeader)
	return letter, orphan, nil
}

// Bury makes a dead letter of the message, with the reason, and takes it out of
// its lane, which lets the next refresh of its tweet in. The server's notice goes.
func (e *Exhausted) Bury(ctx context.Context) error {
	if e.orphan != nil {
		if err := e.q.publish(ctx, e.q.deadLetterOf(e.letter, e.orphan.Header)); err != nil {
			return fmt.Errorf("dead-letter message %d of %s: %w", e.letter.StreamSeq, e.letter.Stream, err)
		}
		if err := e.q.remove(ctx, e.letter.Stream, e.letter.StreamSeq); err != nil {
			return err
		}
	}
	if err := e.Ack(ctx); err != nil {
		return err
	}
	if e.orphan == nil {
		return nil // the notice is all that is left of it
	}
	return e.q.remove(ctx, e.meta.Stream, e.meta.Sequence.Stream)
}

// remove deletes a message from a stream. One that is gone is no error.
func (q *Queue) remove(ctx context.Context, stream string, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	s, err := q.js.Stream(ctx, stream)
	if err == nil {
		err = s.DeleteMsg(ctx, seq)
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) && !errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("remove message %d of %s: %w", seq, stream, plain(err))
	}
	return nil
}
