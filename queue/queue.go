package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	// openTimeout bounds Open: a cluster that is electing leaders needs some seconds.
	openTimeout = 30 * time.Second

	// repairEvery is how often at most a lost queue is set up again.
	repairEvery = time.Second
)

// Queue is an open queue. It is safe for concurrent use. It needs no closing;
// close its connection.
type Queue struct {
	conn  *Conn
	js    jetstream.JetStream
	log   zerolog.Logger
	cfg   Config
	names names

	turn     chan struct{} // held while the queue is set up again
	repaired time.Time     // guarded by turn
}

// Open creates the streams, consumers and buckets of the queue, or brings them up
// to the configuration. Any number of processes may do so at once. The error is a
// [LeaseError] when the lease differs from that of the stream.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Queue, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	q := &Queue{
		conn:  conn,
		js:    conn.js,
		log:   conn.log,
		cfg:   cfg,
		names: newNames(cfg.Prefix),
		turn:  make(chan struct{}, 1),
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := q.setUp(ctx); err != nil {
		return nil, fmt.Errorf("open queue %s: %w", cfg.Prefix, err)
	}
	return q, nil
}

// Lease is how long a claim holds. All processes on the queue go by the same.
func (q *Queue) Lease() time.Duration { return q.cfg.Lease }

// AckWait is how long a delivered batch may go without an answer or a
// [Delivery.InProgress] before it is delivered again.
func (q *Queue) AckWait() time.Duration { return q.cfg.AckWait }

// repair sets the queue up again when err says that the server no longer has it:
// its store may be wiped at any moment.
func (q *Queue) repair(ctx context.Context, err error) {
	if !lost(err) || !q.conn.Connected() {
		return
	}
	select {
	case q.turn <- struct{}{}:
		defer func() { <-q.turn }()
	case <-ctx.Done():
		return
	}
	if time.Since(q.repaired) < repairEvery {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := q.restore(ctx); err != nil {
		q.log.Error().Err(err).Msg("the queue is missing on the server and could not be set up again")
	}
	q.repaired = time.Now()
}

// restore is setUp for a queue in use, whose settled configuration others read.
func (q *Queue) restore(ctx context.Context) error {
	again := &Queue{conn: q.conn, js: q.js, log: q.log, cfg: q.cfg, names: q.names}
	again.cfg.AdoptLease = false
	return again.setUp(ctx)
}
