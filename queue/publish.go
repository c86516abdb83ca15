package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPublishPending is the maximum number of messages that await their acknowledgement.
const maxPublishPending = 256

// publish publishes a message and waits until it is stored.
func (q *Queue) publish(ctx context.Context, m *nats.Msg) error {
	_, err := q.store(ctx, m)
	return err
}

// store is publish, and returns the message's sequence number in its stream.
func (q *Queue) store(ctx context.Context, m *nats.Msg) (seq uint64, err error) {
	ack, err := q.js.PublishMsg(ctx, m)
	if lost(err) {
		q.repair(ctx, err)
		ack, err = q.js.PublishMsg(ctx, m)
	}
	if err != nil {
		return 0, publishError(err)
	}
	return ack.Sequence, nil
}

// refused reports whether an error of an asynchronous publication says that the message
// is not stored, rather than that the answer is lost.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) || errors.Is(plain(err), ErrNotConnected) || errors.Is(err, jetstream.ErrNoStreamResponse) || errors.Is(err, nats.ErrNoResponders)
}

// confirmTimeout is how long the answer of the server is waited for before a message is
// published again, which has it stored once.
const confirmTimeout = 2 * time.Second

// publishSurely is publishAll, and publishes messages again whose answer was lost.
func (q *Queue) publishSurely(ctx context.Context, messages []*nats.Msg) []error {
	first, cancel := context.WithTimeout(ctx, confirmTimeout)
	errs := q.publishAll(first, messages)
	cancel()
	var unsure []*nats.Msg
	var index []int
	for i, err := range errs {
		if errors.Is(err, ErrUnconfirmed) {
			unsure, index = append(unsure, messages[i]), append(index, i)
		}
	}
	for k, err := range q.publishAll(ctx, unsure) {
		if err != nil { // the first one may be stored even if this one is not
			err = fmt.Errorf("%w: %w", ErrUnconfirmed, err)
		}
		errs[index[k]] = err
	}
	return errs
}

// publishAll publishes the messages concurrently, and returns for each the reason why it
// is not stored, or nil.
func (q *Queue) publishAll(ctx context.Context, messages []*nats.Msg) []error {
	errs := make([]error, len(messages))
	acks := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		if ctx.Err() != nil {
			errs[i] = context.Cause(ctx)
			continue
		}
		ack, err := q.js.PublishMsgAsync(m, jetstream.WithStallWait(requestTimeout))
		acks[i], errs[i] = ack, publishError(err)
	}
	for i, ack := range acks {
		if errs[i] != nil {
			continue
		}
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			if errs[i] = publishError(err); !refused(err) {
				errs[i] = fmt.Errorf("%w: %w", ErrUnconfirmed, errs[i])
			}
		case <-ctx.Done():
			errs[i] = fmt.Errorf("%w: no acknowledgement: %w", ErrUnconfirmed, context.Cause(ctx))
		}
	}
	for _, err := range errs {
		if lost(err) {
			q.repair(ctx, err)
			break
		}
	}
	return errs
}
