package queue

import (
	"context"
	"fmt"
)

// LaneDepth is what is in one lane.
type LaneDepth struct {
	Pending     int // waiting for a worker
	AckPending  int // with a worker, or given back with a delay
	Redelivered int // of those, delivered more than once
	Waiting     int // workers asking for work; 0 with something pending means that none takes any
}

// Depth is what is in the queue.
type Depth struct {
	Batch       LaneDepth
	Refresh     LaneDepth
	DeadLetters int
}

// Depth asks the server what is in the queue: three questions.
func (q *Queue) Depth(ctx context.Context) (Depth, error) {
	var d Depth
	var err error
	if d.Batch, err = q.laneDepth(ctx, q.names.batch); err != nil {
		return Depth{}, err
	}
	if d.Refresh, err = q.laneDepth(ctx, q.names.refresh); err != nil {
		return Depth{}, err
	}
	stream, err := q.js.Stream(ctx, q.names.dead)
	if err != nil {
		return Depth{}, fmt.Errorf("read depth of %s: %w", q.names.dead, plain(err))
	}
	d.DeadLetters = int(stream.CachedInfo().State.Msgs)
	return d, nil
}

func (q *Queue) laneDepth(ctx context.Context, stream string) (LaneDepth, error) {
	consumer, err := q.js.Consumer(ctx, stream, consumerName)
	if err != nil {
		return LaneDepth{}, fmt.Errorf("read depth of %s: %w", stream, plain(err))
	}
	info := consumer.CachedInfo()
	return LaneDepth{
		Pending:     int(info.NumPending),
		AckPending:  info.NumAckPending,
		Redelivered: info.NumRedelivered,
		Waiting:     info.NumWaiting,
	}, nil
}
