package queue

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// consumerName is the one durable consumer of each lane.
	consumerName = "workers"

	// leaseKey is where the batch stream's metadata holds the lease.
	leaseKey = "gorgone.lease"

	// maxDeliver is a backstop that no healthy message comes near: a batch is
	// delivered about once per AckWait of its lease.
	maxDeliver = 50

	// maxWaiting is how many workers may ask for work at once. Beyond it requests
	// are dropped without a word, and it cannot be changed later.
	maxWaiting = 2048

	maxBatchBytes   = 64 << 10
	maxRefreshBytes = 4 << 10
	maxGroup        = 100 // most refreshes fetched at once

	deadLetterAge = 14 * 24 * time.Hour
)

// names are the names of everything on the server that belongs to one queue.
type names struct {
	batch, refresh, dead string // streams
	pace, pause          string // buckets
	subject              string // first part of all subjects, with its dot
}

func newNames(prefix string) names {
	return names{
		batch:   prefix + "_BATCH",
		refresh: prefix + "_REFRESH",
		dead:    prefix + "_DLQ",
		pace:    prefix + "_PACE",
		pause:   prefix + "_PAUSE",
		subject: strings.ToLower(prefix) + ".",
	}
}

func (n names) batchDue() string              { return n.subject + "batch.due" }
func (n names) refreshOf(tweet string) string { return n.subject + "refresh." + tweet }
func (n names) deadOf(l Lane) string          { return n.subject + "dlq." + string(l) }
func (n names) doneOf(tweet string) string    { return n.subject + "done." + tweet }
func (n names) event(kind string) string      { return n.subject + "evt." + kind }
func (n names) audience() string              { return n.subject + "audience" }

// exhausted is where the server announces a message that reached maxDeliver. The
// announcement is a plain message, so the dead-letter stream listens for it.
func exhausted(stream string) string {
	return "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES." + stream + "." + consumerName
}

// A stream's settings are applied to what is there, or to nothing, so that what
// an operator set besides (placement, compression) stays.

func (q *Queue) batchStream(c *jetstream.StreamConfig) {
	q.common(c)
	c.Name = q.names.batch
	c.Description = "batches of due tweets, one a claim"
	c.Subjects = []string{q.names.subject + "batch.>"}
	c.Retention = jetstream.WorkQueuePolicy
	c.Discard = jetstream.DiscardNew
	c.MaxMsgs = int64(q.cfg.MaxBatches)
	c.MaxBytes = q.bytes(256 << 20)
	c.MaxMsgSize = maxBatchBytes
	c.MaxAge = q.cfg.Lease
	c.Duplicates = q.cfg.DuplicateWindow
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	c.Metadata[leaseKey] = q.cfg.Lease.String()
}

func (q *Queue) refreshStream(c *jetstream.StreamConfig) {
	q.common(c)
	c.Name = q.names.refresh
	c.Description = "refresh requests, one a tweet"
	c.Subjects = []string{q.names.subject + "refresh.*"}
	c.Retention = jetstream.WorkQueuePolicy
	// A second request for a tweet is refused while one is queued or in flight.
	c.Discard = jetstream.DiscardNew
	c.DiscardNewPerSubject = true
	c.MaxMsgsPerSubject = 1
	c.MaxMsgs = 100_000
	c.MaxBytes = q.bytes(64 << 20)
	c.MaxMsgSize = maxRefreshBytes
	c.MaxAge = q.cfg.RefreshAge
	c.Duplicates = min(30*time.Second, q.cfg.RefreshAge)
}

func (q *Queue) deadStream(c *jetstream.StreamConfig) {
	q.common(c)
	c.Name = q.names.dead
	c.Description = "messages that could not be handled, and why"
	c.Subjects = []string{q.names.subject + "dlq.>", exhausted(q.names.batch), exhausted(q.names.refresh)}
	c.Retention = jetstream.LimitsPolicy
	c.Discard = jetstream.DiscardOld
	c.MaxMsgs = 100_000
	c.MaxBytes = q.bytes(256 << 20)
	c.MaxMsgSize = 2 * maxBatchBytes
	c.MaxAge = deadLetterAge
	c.Duplicates = 2 * time.Minute
	c.AllowDirect = true
}

// bucketStream is the name of the stream behind a key-value bucket.
func bucketStream(bucket string) string { return "KV_" + bucket }

// bucket is the stream of a key-value bucket (NATS ADR-8) without direct reads:
// those may be answered by a server that is behind, and a replica that starts must
// not miss a pause that stands.
func (q *Queue) bucket(name string, storage jetstream.StorageType) func(*jetstream.StreamConfig) {
	return func(c *jetstream.StreamConfig) {
		c.Name = bucketStream(name)
		c.Subjects = []string{"$KV." + name + ".>"}
		c.Retention = jetstream.LimitsPolicy
		c.Discard = jetstream.DiscardNew
		c.Storage = storage
		c.Replicas = q.cfg.Replicas
		c.MaxMsgsPerSubject = 1
		c.MaxBytes = 1 << 20
		c.AllowRollup = true
		c.DenyDelete = true
		c.AllowDirect = false
	}
}

func (q *Queue) common(c *jetstream.StreamConfig) {
	c.Storage = q.storage()
	c.Replicas = q.cfg.Replicas
}

func (q *Queue) storage() jetstream.StorageType {
	if q.cfg.Memory {
		return jetstream.MemoryStorage
	}
	return jetstream.FileStorage
}

// bytes is how large a stream may get. The server sets that much aside, and has
// less memory than disk to do so.
func (q *Queue) bytes(onDisk int64) int64 {
	if q.cfg.Memory {
		return onDisk / 4
	}
	return onDisk
}

func (q *Queue) batchConsumer(c *jetstream.ConsumerConfig) {
	workers(c)
	c.AckWait = q.cfg.AckWait
	c.MaxAckPending = 4096
	c.MaxRequestBatch = 10
}

func (q *Queue) refreshConsumer(c *jetstream.ConsumerConfig) {
	workers(c)
	c.AckWait = q.cfg.RefreshAckWait
	c.MaxAckPending = 4096
	c.MaxRequestBatch = maxGroup
}

func workers(c *jetstream.ConsumerConfig) {
	c.Name = consumerName
	c.Durable = consumerName
	c.AckPolicy = jetstream.AckExplicitPolicy
	c.DeliverPolicy = jetstream.DeliverAllPolicy
	c.MaxDeliver = maxDeliver
	if c.MaxWaiting == 0 {
		c.MaxWaiting = maxWaiting
	}
}
