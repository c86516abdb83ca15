package queue

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPublishing is how many messages may be on their way at once.
const maxPublishing = 256

// publish stores one message and waits for that.
func (q *Queue) publish(ctx context.Context, m *nats.Msg) error {
	_, err := q.js.PublishMsg(ctx, m)
	if lost(err) {
		q.repair(ctx, err)
		_, err = q.js.PublishMsg(ctx, m)
	}
	return publishError(err)
}

// publishAll stores the messages, all on their way at once, and returns for each
// why it is not stored, or nil.
func (q *Queue) publishAll(ctx context.Context, messages []*nats.Msg) []error {
	errs := make([]error, len(messages))
	acks := make([]jetstream.PubAckFuture, len(messages))
	for i, m := range messages {
		if ctx.Err() != nil {
			errs[i] = context.Cause(ctx)
			continue
		}
		ack, err := q.js.PublishMsgAsync(m, jetstream.WithStallWait(answerTimeout))
		acks[i], errs[i] = ack, publishError(err)
	}
	for i, ack := range acks {
		if errs[i] != nil {
			continue
		}
		select {
		case <-ack.Ok():
		case err := <-ack.Err():
			errs[i] = publishError(err)
		case <-ctx.Done():
			errs[i] = fmt.Errorf("no answer: %w", context.Cause(ctx))
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
