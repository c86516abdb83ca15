package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// setUpAnswer bounds one question. A cluster that is electing leaders answers
	// none; then all is asked again, and what was done is found done.
	setUpAnswer = time.Second

	// setUpPause is how long to wait before asking a cluster again that was not ready.
	setUpPause = 250 * time.Millisecond
)

// setUp makes everything that is missing on the server, and changes what differs.
// It tries again while the server's cluster is not ready.
func (q *Queue) setUp(ctx context.Context) error {
	for {
		err := q.setUpOnce(ctx)
		if err == nil || !notReady(err) {
			return explain(err)
		}
		select {
		case <-ctx.Done():
			return explain(err)
		case <-time.After(setUpPause):
		}
	}
}

func (q *Queue) setUpOnce(ctx context.Context) error {
	if err := q.putBatchStream(ctx); err != nil {
		return err
	}
	for name, apply := range map[string]func(*jetstream.StreamConfig){
		q.names.refresh: q.refreshStream,
		q.names.dead:    q.deadStream,
		// The pace is worth nothing after a restart, and is written for every run of
		// calls: it stays in memory.
		bucketStream(q.names.pace):  q.bucket(q.names.pace, jetstream.MemoryStorage),
		bucketStream(q.names.pause): q.bucket(q.names.pause, q.storage()),
	} {
		found, err := q.find(ctx, name)
		if err == nil {
			err = q.putStream(ctx, name, found, apply)
		}
		if err != nil {
			return err
		}
	}
	if err := q.putConsumer(ctx, q.names.batch, consumerName, q.batchConsumer); err != nil {
		return err
	}
	if err := q.putConsumer(ctx, q.names.dead, exhaustedName, q.exhaustedConsumer); err != nil {
		return err
	}
	return q.putConsumer(ctx, q.names.refresh, consumerName, q.refreshConsumer)
}

// putBatchStream settles the lease with what is there before it writes its own.
func (q *Queue) putBatchStream(ctx context.Context) error {
	found, err := q.find(ctx, q.names.batch)
	if err != nil {
		return err
	}
	cfg, err := q.cfg.settle(q.names.batch, found)
	if err != nil {
		return err
	}
	q.cfg = cfg
	return q.putStream(ctx, q.names.batch, found, q.batchStream)
}

// settle fills in the lease: that of the stream, which may be nil, unless told to
// change it.
func (c Config) settle(name string, stream *jetstream.StreamConfig) (Config, error) {
	lease := c.Lease
	if stream != nil {
		have, err := time.ParseDuration(stream.Metadata[leaseKey])
		switch {
		case err != nil || have <= 0:
			// Not set up by us, or by hand: nothing to differ from.
		case lease == 0:
			lease = have
		case lease != have && !c.AdoptLease:
			return c, &LeaseError{Stream: name, Want: lease, Have: have}
		}
	}
	if lease == 0 {
		lease = DefaultLease
	}
	c = c.withLease(lease)
	return c, c.validate()
}

// find returns the stream's configuration, or nil when there is no such stream.
func (q *Queue) find(ctx context.Context, name string) (*jetstream.StreamConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, setUpAnswer)
	defer cancel()
	stream, err := q.js.Stream(ctx, name)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look for stream %s: %w", name, err)
	}
	return &stream.CachedInfo().Config, nil
}

func (q *Queue) putStream(ctx context.Context, name string, found *jetstream.StreamConfig, apply func(*jetstream.StreamConfig)) error {
	ctx, cancel := context.WithTimeout(ctx, setUpAnswer)
	defer cancel()
	if found == nil {
		var c jetstream.StreamConfig
		apply(&c)
		if _, err := q.js.CreateStream(ctx, c); err != nil {
			return fmt.Errorf("create stream %s: %w", name, err)
		}
		return nil
	}
	want := *found
	want.Metadata = maps.Clone(found.Metadata)
	apply(&want)
	if reflect.DeepEqual(*found, want) {
		return nil
	}
	if _, err := q.js.UpdateStream(ctx, want); err != nil {
		return fmt.Errorf("update stream %s: %w", name, err)
	}
	return nil
}

func (q *Queue) putConsumer(ctx context.Context, stream, name string, apply func(*jetstream.ConsumerConfig)) error {
	ctx, cancel := context.WithTimeout(ctx, setUpAnswer)
	defer cancel()
	consumer, err := q.js.Consumer(ctx, stream, name)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		var c jetstream.ConsumerConfig
		apply(&c)
		_, err = q.js.CreateConsumer(ctx, stream, c)
	} else if err == nil {
		have := consumer.CachedInfo().Config
		want := have
		apply(&want)
		if reflect.DeepEqual(have, want) {
			return nil
		}
		_, err = q.js.UpdateConsumer(ctx, stream, want)
	}
	if err != nil {
		return fmt.Errorf("set up consumer %s of stream %s: %w", name, stream, err)
	}
	return nil
}
