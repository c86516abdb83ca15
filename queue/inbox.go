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
	pullExpiry    = 30 * time.Second // how long one request for work waits at the server
	pullHeartbeat = 5 * time.Second  // how often the server says that it still waits

	// After an error an inbox waits this long before it asks again, and twice as
	// long after each further one.
	minReopenPause = 100 * time.Millisecond
	maxReopenPause = 5 * time.Second
)

// ErrStopped is returned by an inbox after Stop.
var ErrStopped = errors.New("the inbox was stopped")

// inbox takes messages of one lane. One is asked for at a time, and only while
// somebody waits for it: a message that lay in a buffer here would age, be kept
// from other workers, and be delivered twice.
type inbox struct {
	q       *Queue
	lane    Lane
	stream  string
	name    string // of the consumer
	ackWait time.Duration

	stopped chan struct{}
	stop    sync.Once

	// Used only by the one goroutine that takes.
	consumer jetstream.Consumer
	failures int // in a row

	mu       sync.Mutex
	messages jetstream.MessagesContext // nil: to be opened
}

func (q *Queue) openInbox(ctx context.Context, lane Lane, stream, name string, ackWait time.Duration) (*inbox, error) {
	in := &inbox{q: q, lane: lane, stream: stream, name: name, ackWait: ackWait, stopped: make(chan struct{})}
	if _, err := in.iterator(ctx); err != nil {
		return nil, fmt.Errorf("open the %s lane: %w", lane, err)
	}
	return in, nil
}

// Stop ends a waiting call, and lets all later ones fail with [ErrStopped]. It
// does not wait.
func (in *inbox) Stop() {
	in.stop.Do(func() { close(in.stopped) })
	in.drain()
}

// next waits for a message. When ctx ends or the inbox is stopped, it gives back
// what was fetched and returns the cause.
func (in *inbox) next(ctx context.Context) (jetstream.Msg, error) {
	release := context.AfterFunc(ctx, in.drain)
	defer release()
	for {
		messages, err := in.iterator(ctx)
		var msg jetstream.Msg
		if err == nil {
			// Not Next with ctx: if that gave up, a message that came afterwards
			// would lie in the iterator until its AckWait is over.
			msg, err = messages.Next()
		}
		if ended := in.ended(ctx); ended != nil {
			if err == nil {
				in.giveBack(msg)
			}
			in.close()
			return nil, ended
		}
		if err == nil {
			in.failures = 0
			return msg, nil
		}
		if in.q.conn.nc.IsClosed() {
			in.close() // or what the iterator runs beside it would be left behind
			return nil, fmt.Errorf("take from the %s lane: %w", in.lane, err)
		}
		in.recover(ctx, err)
	}
}

// ended returns why the inbox is to take no more, or nil.
func (in *inbox) ended(ctx context.Context) error {
	select {
	case <-in.stopped:
		return ErrStopped
	default:
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// iterator returns the open iterator, or opens one.
func (in *inbox) iterator(ctx context.Context) (jetstream.MessagesContext, error) {
	in.mu.Lock()
	messages := in.messages
	in.mu.Unlock()
	if messages != nil {
		return messages, nil
	}
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	consumer, err := in.q.js.Consumer(asking, in.stream, in.name)
	if err != nil {
		return nil, err
	}
	messages, err = consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
		return nil, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	// Whoever ended the inbox before this found nothing to drain.
	if err := in.ended(ctx); err != nil {
		messages.Stop()
		return nil, err
	}
	in.consumer, in.messages = consumer, messages
	return messages, nil
}

// drain lets a waiting Next of the iterator end.
func (in *inbox) drain() {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.messages == nil:
	case in.q.conn.Connected():
		in.messages.Drain()
	default:
		// Draining would wait for the server.
		in.messages.Stop()
	}
}

// close drains the iterator and gives back what is still in it.
func (in *inbox) close() {
	in.drain()
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.messages == nil {
		return
	}
	for {
		msg, err := in.messages.Next()
		if err != nil {
			break
		}
		in.giveBack(msg)
	}
	in.messages = nil
}

// giveBack lets a message that nobody will handle be delivered again at once.
func (in *inbox) giveBack(msg jetstream.Msg) {
	if err := msg.Nak(); err != nil {
		in.q.log.Warn().Err(err).Str("lane", string(in.lane)).Msg("could not give back a message, it is delivered again later")
	}
}

// recover drops the iterator after an error, and waits a little.
func (in *inbox) recover(ctx context.Context, err error) {
	in.q.log.Warn().Err(err).Str("lane", string(in.lane)).Msg("taking work was interrupted, asking again")
	in.mu.Lock()
	if in.messages != nil {
		in.messages.Stop()
		in.messages = nil
	}
	in.mu.Unlock()
	in.q.repair(ctx, err)

	pause := time.NewTimer(min(minReopenPause<<min(in.failures, 10), maxReopenPause))
	defer pause.Stop()
	in.failures++
	select {
	case <-pause.C:
	case <-ctx.Done():
	case <-in.stopped:
	}
}

// delivery wraps a message. One without metadata did not come from a stream: it
// cannot happen, and is dropped.
func (in *inbox) delivery(msg jetstream.Msg) (Delivery, bool) {
	meta, err := msg.Metadata()
	if err != nil {
		in.q.log.Error().Err(err).Str("lane", string(in.lane)).Msg("dropped a message that came from no stream")
		return Delivery{}, false
	}
	return Delivery{q: in.q, lane: in.lane, ackWait: in.ackWait, msg: msg, meta: meta, heard: &heard{at: time.Now()}}, true
}

// reject dead-letters a message that cannot be read. When that fails the message
// is delivered again.
func (in *inbox) reject(ctx context.Context, d Delivery, cause error) {
	log := in.q.log.With().Str("lane", string(in.lane)).Str("message", d.name()).AnErr("cause", cause).Logger()
	if err := d.DeadLetter(ctx, cause.Error()); err != nil {
		log.Error().Err(err).Msg("could not dead-letter an unreadable message, it is delivered again")
		return
	}
	log.Error().Msg("dead-lettered an unreadable message")
}
