package queue

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"gorgone/internal/traceparent"
)

// BatchInbox takes batches from the queue, one at a time; nothing is fetched
// before it is asked for. Its methods but Stop are for one goroutine.
type BatchInbox struct{ *inbox }

// Batches opens the batch lane for taking.
func (q *Queue) Batches(ctx context.Context) (*BatchInbox, error) {
	in, err := q.openInbox(ctx, LaneBatch, q.names.batch, consumerName, q.cfg.AckWait)
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
		batch, err := decodeBatch(msg.Data(), msg.Headers().Get(traceparent.Header))
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
	in, err := q.openInbox(ctx, LaneRefresh, q.names.refresh, consumerName, q.cfg.RefreshAckWait)
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
		r, err := decodeRefresh(msg.Data(), strings.TrimPrefix(msg.Subject(), in.q.names.refreshOf("")))
		if err != nil {
			in.reject(ctx, d, err)
			continue
		}
		r.Trace = msg.Headers().Get(traceparent.Header)
		group = append(group, &RefreshDelivery{Delivery: d, refresh: r})
	}
	return group
}
