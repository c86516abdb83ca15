package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// maxPublishing is how many messages may be on their way at once.
const maxPublishing = 256

// ErrFull is returned when a lane holds as many messages as it may. The
// dispatcher gives the claim back and tries again later.
var ErrFull = errors.New("the queue is full")

// ErrTooLarge is returned for a message that is larger than its stream accepts.
var ErrTooLarge = errors.New("the message is too large")

// errHeld means that a work queue holds a message of the same subject.
var errHeld = errors.New("a message of this subject is in the queue")

// codeStoreFailed is the server's code for whatever keeps a message from being
// stored; only the text tells the limits apart.
const codeStoreFailed jetstream.ErrorCode = 10077

// publishError names the limits of a stream.
func publishError(err error) error {
	var api *jetstream.APIError
	if !errors.As(err, &api) {
		return err
	}
	text := api.Description
	switch {
	case api.ErrorCode != codeStoreFailed:
		if api.ErrorCode == codeMessageTooLarge {
			return ErrTooLarge
		}
		return err
	case strings.Contains(text, "per subject exceeded"):
		return errHeld
	case strings.Contains(text, "maximum messages exceeded"), strings.Contains(text, "maximum bytes exceeded"):
		return ErrFull
	default:
		return err
	}
}

// codeMessageTooLarge: the message is over the stream's MaxMsgSize.
const codeMessageTooLarge jetstream.ErrorCode = 10054

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
		acks[i], errs[i] = ack, err
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
