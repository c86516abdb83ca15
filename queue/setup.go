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
	// setUpTimeout bounds one request. A cluster that is electing leaders answers none;
	// setting up then starts over, and skips what is already done.
	setUpTimeout = time.Second

	// setUpRetryDelay is how long to wait for a cluster that is not ready.
	setUpRetryDelay = 250 * time.Millisecond
)

// setUp creates what is missing on the server and updates what differs. It retries
// while the server's cluster is not ready.
func (q *Queue) setUp(ctx context.Context) error {
	for {
		err := q.setUpOnce(ctx)
		if err == nil || !notReady(err) {
			return explain(err)
		}
		select {
		case <-ctx.Done():
			return explain(err)
		case <-time.After(setUpRetryDelay):
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
		q.names.kept:    q.keptStream,
		// The rate limiter's state is useless after a restart, and is written up to 20
		// times a second: it stays in memory.
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
	if err := q.putConsumer(ctx, q.names.dead, maxDeliveriesConsumer, q.configureMaxDeliveriesConsumer); err != nil {
		return err
	}
	if err := q.putConsumer(ctx, q.names.kept, consumerName, q.keptConsumer); err != nil {
		return err
	}
	return q.putConsumer(ctx, q.names.refresh, consumerName, q.refreshConsumer)
}

// putBatchStream reconciles the lease with an existing stream's, and then creates or
// updates the stream.
func (q *Queue) putBatchStream(ctx context.Context) error {
	found, err := q.find(ctx, q.names.batch)
	if err != nil {
		return err
	}
	cfg, err := q.cfg.resolveLease(q.names.batch, found)
	if err != nil {
		return err
	}
	q.cfg = cfg
	return q.putStream(ctx, q.names.batch, found, q.batchStream)
}

// resolveLease fills in the lease: that of the stream, which may be nil, unless AdoptLease
// is set.
func (c Config) resolveLease(name string, stream *jetstream.StreamConfig) (Config, error) {
	lease := c.Lease
	if stream != nil {
		have, err := time.ParseDuration(stream.Metadata[leaseKey])
		switch {
		case err != nil || have <= 0:
			// Created by hand: there is no lease to compare with.
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

// find returns the stream's configuration, or nil if there is no such stream.
func (q *Queue) find(ctx context.Context, name string) (*jetstream.StreamConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
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
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
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
	ctx, cancel := context.WithTimeout(ctx, setUpTimeout)
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
