package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// MaxKeptBytes is the largest body that is kept. A hundred answers fit into it several
	// times.
	MaxKeptBytes = 256 << 10

	// keptAge is how long answers are kept that no one could write.
	keptAge = 24 * time.Hour
)

// Kept is answers that were paid for and could not be written, as the worker that has them
// encodes them. A worker writes them when the database takes them: this one, or another when
// this one has stopped.
type Kept struct {
	ID   uuid.UUID // names the message: it is stored once
	Work uuid.UUID // the batch that they are of; another id where there is none
	Body []byte    // at most [MaxKeptBytes]
}

func (q *Queue) keptStream(c *jetstream.StreamConfig) {
	q.common(c)
	c.Name = q.names.kept
	c.Description = "answers that were paid for and could not be written"
	c.Subjects = []string{q.names.keptOf("*")}
	c.Retention = jetstream.WorkQueuePolicy
	c.Discard = jetstream.DiscardNew
	c.MaxBytes = q.bytes(32 << 20)
	c.MaxMsgSize = MaxKeptBytes + headerRoom
	c.MaxAge = keptAge
	c.Duplicates = 2 * time.Minute
}

func (q *Queue) keptConsumer(c *jetstream.ConsumerConfig) {
	commonConsumer(c)
	c.AckWait = q.cfg.AckWait
	c.MaxDeliver = -1 // until it is written or expires
}

// Keep stores answers, and returns the number by which [Queue.Forget] knows them. The error
// wraps [ErrFull], [ErrTooLarge] or an error of NATS.
func (q *Queue) Keep(ctx context.Context, k Kept) (seq uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	m := &nats.Msg{Subject: q.names.keptOf(k.Work.String()), Data: k.Body, Header: nats.Header{}}
	m.Header.Set(jetstream.MsgIDHeader, k.ID.String())
	if seq, err = q.store(ctx, m); err != nil {
		return 0, fmt.Errorf("keep answers: %w", err)
	}
	return seq, nil
}

// Forget deletes answers that are written.
func (q *Queue) Forget(ctx context.Context, seq uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := q.js.Stream(ctx, q.names.kept)
	if err == nil {
		err = stream.DeleteMsg(ctx, seq)
	}
	if err != nil && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) { // it is gone
		return fmt.Errorf("forget kept answers: %w", plain(err))
	}
	return nil
}

// KeptOf returns the bodies of the answers to a batch that are kept, oldest first.
func (q *Queue) KeptOf(ctx context.Context, work uuid.UUID) (bodies [][]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	stream, err := q.js.Stream(ctx, q.names.kept)
	if err != nil {
		return nil, fmt.Errorf("look for kept answers: %w", plain(err))
	}
	for seq := uint64(0); ; seq++ {
		msg, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(q.names.keptOf(work.String())))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return bodies, nil
		}
		if err != nil {
			return nil, fmt.Errorf("look for kept answers: %w", plain(err))
		}
		bodies, seq = append(bodies, msg.Data), msg.Sequence
	}
}

// KeptDelivery is a delivery of answers that were kept.
type KeptDelivery struct{ Delivery }

// Body returns the answers as they were encoded.
func (d *KeptDelivery) Body() []byte { return d.msg.Data() }

// KeptConsumer fetches answers that were kept, one message at a time. Only Stop may be called
// concurrently with its other methods.
type KeptConsumer struct{ *consumer }

// ConsumeKept returns a consumer of kept answers.
func (q *Queue) ConsumeKept(ctx context.Context) (*KeptConsumer, error) {
	c, err := q.openConsumer(ctx, classKept, q.names.kept, consumerName, q.cfg.AckWait)
	if err != nil {
		return nil, err
	}
	return &KeptConsumer{c}, nil
}

// Next waits for kept answers. Its errors are those of [BatchConsumer.Next].
func (c *KeptConsumer) Next(ctx context.Context) (*KeptDelivery, error) {
	for {
		msg, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		if d, ok := c.delivery(msg); ok {
			return &KeptDelivery{d}, nil
		}
	}
}
