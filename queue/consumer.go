package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	pullExpiry    = 30 * time.Second // how long one pull request waits at the server
	pullHeartbeat = 5 * time.Second  // how often the server confirms that it still waits

	// After an error a consumer waits for minReopenDelay before it pulls again, and twice
	// as long after each further error.
	minReopenDelay = 100 * time.Millisecond
	maxReopenDelay = 5 * time.Second
)

// ErrStopped is returned by a consumer after Stop.
var ErrStopped = errors.New("the consumer was stopped")

// consumer fetches the messages of one stream, one at a time and only while a caller
// waits for it: a message in a client-side buffer would be kept from other workers until
// its AckWait ends, and then be delivered twice.
type consumer struct {
	q       *Queue
	class   Class
	stream  string
	durable string // name of the consumer on the server
	ackWait time.Duration

	stopped chan struct{}
	stop    sync.Once

	// Used only by the one goroutine that fetches.
	remote   jetstream.Consumer
	failures int       // in a row
	asked    time.Time // when the last message was asked for

	mu       sync.Mutex
	messages jetstream.MessagesContext // nil: not open
}

func (q *Queue) openConsumer(ctx context.Context, class Class, stream, durable string, ackWait time.Duration) (*consumer, error) {
	c := &consumer{q: q, class: class, stream: stream, durable: durable, ackWait: ackWait, stopped: make(chan struct{})}
	if _, err := c.iterator(ctx); err != nil {
		return nil, fmt.Errorf("open the %s consumer: %w", class, err)
	}
	return c, nil
}

// Stop makes a waiting call and all later ones return [ErrStopped]. It does not wait for
// them.
func (c *consumer) Stop() {
	c.stop.Do(func() { close(c.stopped) })
	c.drain()
}

// next waits for a message. When ctx ends or the consumer is stopped, it returns fetched
// messages to the queue and returns the cause.
func (c *consumer) next(ctx context.Context) (jetstream.Msg, error) {
	release := context.AfterFunc(ctx, c.drain)
	defer release()
	for {
		messages, err := c.iterator(ctx)
		var msg jetstream.Msg
		if err == nil {
			// Not Next with ctx: after that returned early, a message could sit in the
			// iterator until its AckWait ends.
			c.asked = time.Now()
			msg, err = messages.Next()
		}
		if ended := c.ended(ctx); ended != nil {
			if err == nil {
				c.nak(msg)
			}
			c.close()
			return nil, ended
		}
		if err == nil {
			c.failures = 0
			return msg, nil
		}
		if c.q.conn.nc.IsClosed() {
			c.close() // ends the goroutines of the iterator
			return nil, fmt.Errorf("fetch from the %s consumer: %w", c.class, err)
		}
		c.recover(ctx, err)
	}
}

// ended returns why the consumer must not fetch any more, or nil.
func (c *consumer) ended(ctx context.Context) error {
	select {
	case <-c.stopped:
		return ErrStopped
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// iterator returns the open iterator, or opens one.
func (c *consumer) iterator(ctx context.Context) (jetstream.MessagesContext, error) {
	c.mu.Lock()
	messages := c.messages
	c.mu.Unlock()
	if messages != nil {
		return messages, nil
	}
	opening, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	remote, err := c.q.js.Consumer(opening, c.stream, c.durable)
	if err != nil {
		return nil, err
	}
	messages, err = remote.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// If the consumer ended before this, there was nothing to drain yet.
	if err := c.ended(ctx); err != nil {
		messages.Stop()
		return nil, err
	}
	c.remote, c.messages = remote, messages
	return messages, nil
}

// drain ends a waiting call of the iterator's Next.
func (c *consumer) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.messages == nil:
	case c.q.conn.Connected():
		c.messages.Drain()
	default:
		// Draining would wait for the server.
		c.messages.Stop()
	}
}

// close drains the iterator and returns what is still in it to the queue.
func (c *consumer) close() {
	c.drain()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.messages == nil {
		return
	}
	for {
		msg, err := c.messages.Next()
		if err != nil {
			break
		}
		c.nak(msg)
	}
	c.messages = nil
}

// nak returns an unhandled message to the queue, which redelivers it at once.
func (c *consumer) nak(msg jetstream.Msg) {
	if err := msg.Nak(); err != nil {
		c.q.log.Warn().Err(err).Str("lane", string(c.class)).Msg("returning a message failed, it is redelivered later")
	}
}

// recover closes the iterator after an error, and waits before the next attempt.
func (c *consumer) recover(ctx context.Context, err error) {
	c.q.log.Warn().Err(err).Str("lane", string(c.class)).Msg("fetching was interrupted, retrying")
	c.mu.Lock()
	if c.messages != nil {
		c.messages.Stop()
		c.messages = nil
	}
	c.mu.Unlock()
	c.q.repair(ctx, err)

	delay := time.NewTimer(min(minReopenDelay<<min(c.failures, 10), maxReopenDelay))
	defer delay.Stop()
	c.failures++
	select {
	case <-delay.C:
	case <-ctx.Done():
	case <-c.stopped:
	}
}

// delivery wraps a message. It drops a message without metadata, which cannot have come
// from a stream.
func (c *consumer) delivery(msg jetstream.Msg) (Delivery, bool) {
	meta, err := msg.Metadata()
	if err != nil {
		c.q.log.Error().Err(err).Str("lane", string(c.class)).Msg("dropped a message that is not from a stream")
		return Delivery{}, false
	}
	// Its AckWait may run since it was asked for: a message that was waited for can have been
	// under way for most of that time, and have been redelivered.
	prompt := time.Since(c.asked) < c.ackWait/2
	return Delivery{q: c.q, class: c.class, ackWait: c.ackWait, msg: msg, meta: meta, prompt: prompt, acks: &ackDeadline{last: c.asked}}, true
}

// reject dead-letters an unreadable message. If that fails, the message is redelivered.
func (c *consumer) reject(ctx context.Context, d Delivery, cause error) {
	log := c.q.log.With().Str("lane", string(c.class)).Str("message", d.name()).AnErr("cause", cause).Logger()
	if err := d.DeadLetter(ctx, cause.Error()); err != nil {
		log.Error().Err(err).Msg("dead-lettering an unreadable message failed, it is redelivered")
		return
	}
	log.Error().Msg("dead-lettered an unreadable message")
}
