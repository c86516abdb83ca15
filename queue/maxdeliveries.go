package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// maxDeliveriesConsumer is the durable consumer of the server's max-deliveries
// advisories.
const maxDeliveriesConsumer = "exhausted"

// MaxDeliveriesConsumer fetches the messages that the server does not deliver any more
// because they reached the maximum number of deliveries. The server leaves such a message
// in its stream forever, where it blocks the refreshes of its tweet. Only Stop may be
// called concurrently with its other methods.
type MaxDeliveriesConsumer struct{ *consumer }

// ConsumeMaxDeliveries returns a consumer of messages at their maximum number of
// deliveries. Any number of processes may call it: each message goes to one.
func (q *Queue) ConsumeMaxDeliveries(ctx context.Context) (*MaxDeliveriesConsumer, error) {
	c, err := q.openConsumer(ctx, classDead, q.names.dead, maxDeliveriesConsumer, q.cfg.AckWait)
	if err != nil {
		return nil, err
	}
	return &MaxDeliveriesConsumer{c}, nil
}

func (q *Queue) configureMaxDeliveriesConsumer(c *jetstream.ConsumerConfig) {
	c.Name, c.Durable = maxDeliveriesConsumer, maxDeliveriesConsumer
	c.AckPolicy = jetstream.AckExplicitPolicy
	c.DeliverPolicy = jetstream.DeliverAllPolicy
	c.FilterSubjects = []string{maxDeliveriesAdvisory(q.names.batch), maxDeliveriesAdvisory(q.names.refresh)}
	c.AckWait = q.cfg.AckWait
	c.MaxDeliver = -1 // until the advisory is handled or expires
	if c.MaxWaiting == 0 {
		c.MaxWaiting = maxWaiting
	}
}

// MaxDeliveriesMessage is a message that reached the maximum number of deliveries. End it
// with DeadLetter or, to have it delivered again, with Nak.
type MaxDeliveriesMessage struct {
	advisory Delivery // of the server
	letter   DeadLetter
	original *jetstream.RawStreamMsg // nil: it is gone
}

// Nak has the message delivered again after the delay, to any process.
func (e *MaxDeliveriesMessage) Nak(delay time.Duration) error { return e.advisory.Nak(delay) }

// Letter returns the dead letter that DeadLetter stores. Its body is nil if the message is
// gone.
func (e *MaxDeliveriesMessage) Letter() DeadLetter { return e.letter }

// Next waits for a message. Its errors are those of [BatchConsumer.Next].
func (c *MaxDeliveriesConsumer) Next(ctx context.Context) (*MaxDeliveriesMessage, error) {
	for {
		msg, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		d, ok := c.delivery(msg)
		if !ok {
			continue
		}
		e := &MaxDeliveriesMessage{advisory: d}
		if e.letter, e.original, err = c.q.originalOf(ctx, d); err != nil {
			c.q.log.Warn().Err(err).Msg("reading a message at its maximum number of deliveries failed, retrying")
			if err := d.Nak(minReopenDelay << 4); err != nil {
				c.q.log.Warn().Err(err).Msg("returning an advisory failed")
			}
			continue
		}
		return e, nil
	}
}

// advisory is the announcement that a message reached the maximum number of deliveries.
type advisory struct {
	Stream     string `json:"stream"`
	StreamSeq  uint64 `json:"stream_seq"`
	Deliveries int    `json:"deliveries"`
}

func (a advisory) reason() string {
	return fmt.Sprintf("delivered %d times without an answer", a.Deliveries)
}

// originalOf reads the message that an advisory is about.
func (q *Queue) originalOf(ctx context.Context, received Delivery) (letter DeadLetter, original *jetstream.RawStreamMsg, err error) {
	letter = DeadLetter{Seq: received.meta.Sequence.Stream, At: received.meta.Timestamp}
	var a advisory
	if err := json.Unmarshal(received.msg.Data(), &a); err != nil {
		letter.Reason = fmt.Sprintf("unreadable server advisory: %v", err)
		return letter, nil, nil
	}
	letter.Class, letter.Stream, letter.StreamSeq = q.classOf(a.Stream), a.Stream, a.StreamSeq
	letter.Deliveries, letter.Reason = a.Deliveries, a.reason()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := q.js.Stream(ctx, a.Stream)
	if err != nil {
		return letter, nil, fmt.Errorf("look for stream %s: %w", a.Stream, plain(err))
	}
	original, err = stream.GetMsg(ctx, a.StreamSeq)
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return letter, nil, nil // acknowledged late, or expired
	case err != nil:
		return letter, nil, fmt.Errorf("read message %d of %s: %w", a.StreamSeq, a.Stream, plain(err))
	case original.Time.After(letter.At):
		return letter, nil, nil // of a stream that was recreated since
	}
	letter.Subject, letter.FirstSeen, letter.Body = original.Subject, original.Time, original.Data
	letter.MsgID = original.Header.Get(jetstream.MsgIDHeader)
	return letter, original, nil
}

// DeadLetter stores the message as a dead letter and removes it from its stream, which
// unblocks the next refresh of its tweet. It also removes the server's advisory.
func (e *MaxDeliveriesMessage) DeadLetter(ctx context.Context) error {
	if e.original != nil {
		if err := e.advisory.q.publish(ctx, e.advisory.q.deadLetterMessage(e.letter, e.original.Header)); err != nil {
			return fmt.Errorf("dead-letter message %d of %s: %w", e.letter.StreamSeq, e.letter.Stream, err)
		}
		if err := e.advisory.q.remove(ctx, e.letter.Stream, e.letter.StreamSeq); err != nil {
			return err
		}
	}
	if err := e.advisory.Ack(ctx); err != nil {
		return err
	}
	if e.original == nil {
		return nil // only the advisory is left, and stays as its record
	}
	return e.advisory.q.remove(ctx, e.advisory.meta.Stream, e.advisory.meta.Sequence.Stream)
}

// remove deletes a message from a stream. It is no error if there is none.
func (q *Queue) remove(ctx context.Context, stream string, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
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
