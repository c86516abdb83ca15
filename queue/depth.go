package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ClassDepth counts the messages of one class.
type ClassDepth struct {
	Pending     int // waiting for a worker
	AckPending  int // delivered to a worker, or returned with a delay
	Redelivered int // of AckPending, delivered more than once
	Waiting     int // workers waiting for a message; 0 while messages are pending means that none fetches any
}

// Depth counts the messages in the queue.
type Depth struct {
	Batch       ClassDepth
	Refresh     ClassDepth
	DeadLetters int
	Kept        int // messages of answers that could not be written yet
}

// Depth reads the counts, which takes four requests.
func (q *Queue) Depth(ctx context.Context) (Depth, error) {
	var d Depth
	var err error
	if d.Batch, err = q.classDepth(ctx, q.names.batch); err != nil {
		return Depth{}, err
	}
	if d.Refresh, err = q.classDepth(ctx, q.names.refresh); err != nil {
		return Depth{}, err
	}
	stream, err := q.js.Stream(ctx, q.names.dead)
	if err != nil {
		return Depth{}, fmt.Errorf("read depth of %s: %w", q.names.dead, plain(err))
	}
	d.DeadLetters = int(stream.CachedInfo().State.Msgs)
	if stream, err = q.js.Stream(ctx, q.names.kept); err != nil {
		return Depth{}, fmt.Errorf("read depth of %s: %w", q.names.kept, plain(err))
	}
	d.Kept = int(stream.CachedInfo().State.Msgs)
	return d, nil
}

func (q *Queue) classDepth(ctx context.Context, stream string) (ClassDepth, error) {
	consumer, err := q.js.Consumer(ctx, stream, consumerName)
	if err != nil {
		return ClassDepth{}, fmt.Errorf("read depth of %s: %w", stream, plain(err))
	}
	info := consumer.CachedInfo()
	return ClassDepth{
		Pending:     int(info.NumPending),
		AckPending:  info.NumAckPending,
		Redelivered: info.NumRedelivered,
		Waiting:     info.NumWaiting,
	}, nil
}

// fullShare is the share of its bytes from which a stream counts as full.
const fullShare = 0.95

// CheckSpace returns an error when the server does not store what is written, or a stream
// has hardly any room left. It writes one small value, on disk.
func (q *Queue) CheckSpace(ctx context.Context) error {
	cell, err := q.DurableCell(ctx, "space", "a value that shows whether there is room")
	if err != nil {
		return err
	}
	if _, err := cell.Update(ctx, func([]byte) ([]byte, error) { return []byte(time.Now().UTC().Format(time.RFC3339Nano)), nil }); err != nil {
		return err
	}
	var faults []error
	for _, name := range []string{q.names.batch, q.names.refresh} {
		stream, err := q.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("read the size of %s: %w", name, plain(err))
		}
		info := stream.CachedInfo()
		if most, have := info.Config.MaxBytes, info.State.Bytes; most > 0 && float64(have) >= fullShare*float64(most) {
			faults = append(faults, fmt.Errorf("stream %s holds %d of %d bytes", name, have, most))
		}
		if most, have := info.Config.MaxMsgs, info.State.Msgs; most > 0 && float64(have) >= fullShare*float64(most) {
			faults = append(faults, fmt.Errorf("stream %s holds %d of %d messages", name, have, most))
		}
	}
	return errors.Join(faults...)
}
