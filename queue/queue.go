package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	// openTimeout bounds Open: a cluster takes some seconds to elect its leaders.
	openTimeout = 30 * time.Second

	// repairInterval is the shortest time between two attempts to set up a lost queue.
	repairInterval = time.Second
)

// Queue is an open queue. It is safe for concurrent use. To close it, close its
// connection.
type Queue struct {
	conn  *Conn
	js    jetstream.JetStream
	log   zerolog.Logger
	cfg   Config
	names names

	repairing chan struct{} // held while the queue is set up again
	repaired  time.Time     // guarded by repairing
}

// Open creates the queue's streams, consumers and buckets, or updates them to the
// configuration. Any number of processes may do so at once. The error wraps a
// [LeaseError] if the configured lease differs from the stream's.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Queue, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	q := &Queue{
		conn:      conn,
		js:        conn.js,
		log:       conn.log,
		cfg:       cfg,
		names:     newNames(cfg.Prefix),
		repairing: make(chan struct{}, 1),
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	if err := q.setUp(ctx); err != nil {
		return nil, fmt.Errorf("open queue %s: %w", cfg.Prefix, err)
	}
	return q, nil
}

// Lease returns how long a claim holds. It is the same for all processes of the queue.
func (q *Queue) Lease() time.Duration { return q.cfg.Lease }

// AckWait returns how long a delivered batch may go without an acknowledgement or a
// [Delivery.InProgress] before it is redelivered.
func (q *Queue) AckWait() time.Duration { return q.cfg.AckWait }

// repair sets the queue up again if err says that the server no longer has it: the
// server's store may be wiped at any moment.
func (q *Queue) repair(ctx context.Context, err error) {
	if !lost(err) || !q.conn.Connected() {
		return
	}
	select {
	case q.repairing <- struct{}{}:
		defer func() { <-q.repairing }()
	case <-ctx.Done():
		return
	}
	if time.Since(q.repaired) < repairInterval {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := q.restore(ctx); err != nil {
		q.log.Error().Err(err).Msg("setting up the queue, which is missing on the server, failed")
	}
	q.repaired = time.Now()
}

// restore is setUp for a queue in use, whose configuration other goroutines read.
func (q *Queue) restore(ctx context.Context) error {
	fresh := &Queue{conn: q.conn, js: q.js, log: q.log, cfg: q.cfg, names: q.names}
	fresh.cfg.AdoptLease = false
	return fresh.setUp(ctx)
}
