package queue

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
)

// BatchConsumer fetches batches from the queue, one at a time. Only Stop may be called
// concurrently with its other methods.
type BatchConsumer struct{ *consumer }

// ConsumeBatches returns a consumer of batches.
func (q *Queue) ConsumeBatches(ctx context.Context) (*BatchConsumer, error) {
	c, err := q.openConsumer(ctx, ClassBatch, q.names.batch, consumerName, q.cfg.AckWait)
	if err != nil {
		return nil, err
	}
	return &BatchConsumer{c}, nil
}

// Next waits for a batch. When ctx ends or the consumer is stopped, it returns fetched
// messages to the queue, and returns the cause of ctx or [ErrStopped]; after ctx ended it
// may be called again. It logs and survives a lost connection, a restarted or wiped
// server, and unreadable messages, which it dead-letters. The only other error is that
// the connection was closed.
func (c *BatchConsumer) Next(ctx context.Context) (*BatchDelivery, error) {
	for {
		msg, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		d, ok := c.delivery(msg)
		if !ok {
			continue
		}
		batch, err := decodeBatch(msg.Data(), msg.Headers().Get(traceparent.Header))
		if err != nil {
			c.reject(ctx, d, err)
			continue
		}
		return &BatchDelivery{Delivery: d, batch: batch}, nil
	}
}

// RefreshConsumer fetches refreshes from the queue, several at a time. Only Stop may be
// called concurrently with its other methods.
type RefreshConsumer struct{ *consumer }

// ConsumeRefreshes returns a consumer of refreshes.
func (q *Queue) ConsumeRefreshes(ctx context.Context) (*RefreshConsumer, error) {
	c, err := q.openConsumer(ctx, ClassRefresh, q.names.refresh, consumerName, q.cfg.RefreshAckWait)
	if err != nil {
		return nil, err
	}
	return &RefreshConsumer{c}, nil
}

// Fetch waits for a refresh and returns it together with those that are queued at that
// moment, up to limit in all (1 to 100). Its errors are those of [BatchConsumer.Next].
func (c *RefreshConsumer) Fetch(ctx context.Context, limit int) ([]*RefreshDelivery, error) {
	limit = min(max(limit, 1), maxFetch)
	for {
		first, err := c.next(ctx)
		if err != nil {
			return nil, err
		}
		group := c.decode(ctx, append([]jetstream.Msg{first}, c.more(limit-1)...))
		if ended := c.ended(ctx); ended != nil {
			for _, d := range group {
				c.nak(d.msg)
			}
			c.close()
			return nil, ended
		}
		if len(group) > 0 {
			return group, nil
		}
	}
}

// more fetches up to n refreshes that are queued at this moment.
func (c *RefreshConsumer) more(n int) []jetstream.Msg {
	if n == 0 {
		return nil
	}
	fetched, err := c.remote.FetchNoWait(n)
	if err != nil {
		c.q.log.Warn().Err(err).Msg("fetching more refreshes failed")
		return nil
	}
	var list []jetstream.Msg
	for msg := range fetched.Messages() {
		list = append(list, msg)
	}
	return list
}

// tellUnreadable tells who waits for the tweet that a message could not be read.
func (c *RefreshConsumer) tellUnreadable(ctx context.Context, tweet string, cause error) {
	if engagement.CheckTweetID(tweet) != nil {
		return
	}
	done := RefreshResult{TweetID: tweet, RequestIDs: []uuid.UUID{}, Outcome: engagement.RequestFailed, Cause: engagement.CauseUnreadable, Reason: oneLine(cause.Error())}
	if err := c.q.PublishResult(ctx, done); err != nil {
		c.q.log.Warn().Err(err).Str("tweet", tweet).Msg("announcing an unreadable refresh failed")
	}
}

// decode decodes the messages, and dead-letters unreadable ones.
func (c *RefreshConsumer) decode(ctx context.Context, messages []jetstream.Msg) []*RefreshDelivery {
	var group []*RefreshDelivery
	for _, msg := range messages {
		d, ok := c.delivery(msg)
		if !ok {
			continue
		}
		tweet := strings.TrimPrefix(msg.Subject(), c.q.names.refreshOf(""))
		r, err := decodeRefresh(msg.Data(), tweet)
		if err != nil {
			c.reject(ctx, d, err)
			c.tellUnreadable(ctx, tweet, err)
			continue
		}
		r.Trace = msg.Headers().Get(traceparent.Header)
		group = append(group, &RefreshDelivery{Delivery: d, refresh: r})
	}
	return group
}
