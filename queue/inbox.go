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
	q        *Queue
	lane     Lane
	stream   string
	ackWait  time.Duration
	failures int // in a row; of the one goroutine that takes

	stopped chan struct{}
	stop    sync.Once

	mu       sync.Mutex
	consumer jetstream.Consumer
	messages jetstream.MessagesContext // nil: to be opened
}

func (q *Queue) openInbox(ctx context.Context, lane Lane, stream string, ackWait time.Duration) (*inbox, error) {
	in := &inbox{q: q, lane: lane, stream: stream, ackWait: ackWait, stopped: make(chan struct{})}
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
	defer in.mu.Unlock()
	if err := in.ended(ctx); err != nil {
		return nil, err
	}
	if in.messages != nil {
		return in.messages, nil
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	consumer, err := in.q.js.Consumer(ctx, in.stream, consumerName)
	if err != nil {
		return nil, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(1), jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	if err != nil {
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
	return Delivery{q: in.q, lane: in.lane, ackWait: in.ackWait, msg: msg, meta: meta}, true
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

// BatchInbox takes batches from the queue, one at a time; nothing is fetched
// before it is asked for. Its methods but Stop are for one goroutine.
type BatchInbox struct{ *inbox }

// Batches opens the batch lane for taking.
func (q *Queue) Batches(ctx context.Context) (*BatchInbox, error) {
	in, err := q.openInbox(ctx, LaneBatch, q.names.batch, q.cfg.AckWait)
	if err != nil {
		return nil, err
	}
	return &BatchInbox{in}, nil
}

// Next waits for a batch. When ctx ends or the inbox is stopped, it gives back
// what was fetched, and returns the cause of ctx or [ErrStopped]; after an ended
// context it may be called again. A lost connection, a restarted or wiped server
// and unreadable messages (they are dead-lettered) are logged and overcome; the
// only other error is that the connection was closed.
func (in *BatchInbox) Next(ctx context.Context) (*BatchDelivery, error) {
	for {
		msg, err := in.next(ctx)
		if err != nil {
			return nil, err
		}
		d, ok := in.delivery(msg)
		if !ok {
			continue
		}
		batch, err := decodeBatch(msg.Data(), msg.Headers().Get(headerTrace))
		if err != nil {
			in.reject(ctx, d, err)
			continue
		}
		return &BatchDelivery{Delivery: d, batch: batch}, nil
	}
}

// RefreshInbox takes refreshes from the queue, in groups. Its methods but Stop
// are for one goroutine.
type RefreshInbox struct{ *inbox }

// Refreshes opens the refresh lane for taking.
func (q *Queue) Refreshes(ctx context.Context) (*RefreshInbox, error) {
	in, err := q.openInbox(ctx, LaneRefresh, q.names.refresh, q.cfg.RefreshAckWait)
	if err != nil {
		return nil, err
	}
	return &RefreshInbox{in}, nil
}

// NextGroup waits for a refresh, and returns it together with those that are
// queued at that moment, at most limit in all (1 to 100). It ends as
// [BatchInbox.Next] does.
func (in *RefreshInbox) NextGroup(ctx context.Context, limit int) ([]*RefreshDelivery, error) {
	limit = min(max(limit, 1), maxGroup)
	for {
		first, err := in.next(ctx)
		if err != nil {
			return nil, err
		}
		group := in.group(ctx, append([]jetstream.Msg{first}, in.more(limit-1)...))
		if ended := in.ended(ctx); ended != nil {
			for _, d := range group {
				in.giveBack(d.msg)
			}
			in.close()
			return nil, ended
		}
		if len(group) > 0 {
			return group, nil
		}
	}
}

// more fetches what is queued at this moment, at most n.
func (in *RefreshInbox) more(n int) []jetstream.Msg {
	if n == 0 {
		return nil
	}
	fetched, err := in.consumer.FetchNoWait(n)
	if err != nil {
		in.q.log.Warn().Err(err).Msg("could not fetch more refreshes")
		return nil
	}
	var list []jetstream.Msg
	for msg := range fetched.Messages() {
		list = append(list, msg)
	}
	return list
}

func (in *RefreshInbox) group(ctx context.Context, messages []jetstream.Msg) []*RefreshDelivery {
	var group []*RefreshDelivery
	for _, msg := range messages {
		d, ok := in.delivery(msg)
		if !ok {
			continue
		}
		r, err := decodeRefresh(msg.Data())
		if err != nil {
			in.reject(ctx, d, err)
			continue
		}
		group = append(group, &RefreshDelivery{Delivery: d, refresh: r})
	}
	return group
}
