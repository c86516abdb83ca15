package queue

import (
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	// consumerName is the durable consumer of each work queue.
	consumerName = "workers"

	// leaseKey is the key of the lease in the batch stream's metadata.
	leaseKey = "gorgone.lease"

	// maxDeliver is a backstop far beyond what a message normally needs: a batch is
	// delivered about once per AckWait of its lease.
	maxDeliver = 50

	// maxWaiting is the maximum number of workers that wait for a message. Further pull
	// requests are dropped silently, and the number cannot be changed later.
	maxWaiting = 2048

	maxBatchBytes   = 64 << 10
	maxRefreshBytes = 4 << 10
	maxFetch        = 100 // maximum number of refreshes fetched at once

	deadLetterAge = 14 * 24 * time.Hour
)

// names holds the names of everything on the server that belongs to one queue.
type names struct {
	batch, refresh, dead, kept string // streams
	pace, pause                string // buckets
	subject                    string // prefix of all subjects, including the dot
}

func newNames(prefix string) names {
	return names{
		batch:   prefix + "_BATCH",
		refresh: prefix + "_REFRESH",
		dead:    prefix + "_DLQ",
		kept:    prefix + "_KEPT",
		pace:    prefix + "_PACE",
		pause:   prefix + "_PAUSE",
		subject: strings.ToLower(prefix) + ".",
	}
}

func (n names) batchDue() string              { return n.subject + "batch.due" }
func (n names) refreshOf(tweet string) string { return n.subject + "refresh." + tweet }
func (n names) deadOf(l Class) string         { return n.subject + "dlq." + string(l) }
func (n names) keptOf(work string) string     { return n.subject + "kept." + work }
func (n names) doneOf(tweet string) string    { return n.subject + "done." + tweet }
func (n names) event(kind string) string      { return n.subject + "evt." + kind }
func (n names) subscribers() string           { return n.subject + "audience" }

// maxDeliveriesAdvisory is the subject on which the server announces that a message has
// reached maxDeliver. The advisory is not stored by itself, so the dead-letter stream
// subscribes to it.
func maxDeliveriesAdvisory(stream string) string {
	return "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES." + stream + "." + consumerName
}

// Settings are applied on top of an existing stream's configuration, so that what an
// operator has added (placement, compression) stays.

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
	// A second request for a tweet is rejected while one is queued or in flight.
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
	c.Subjects = []string{q.names.subject + "dlq.>", maxDeliveriesAdvisory(q.names.batch), maxDeliveriesAdvisory(q.names.refresh)}
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

// bucket returns the stream settings of a key-value bucket (NATS ADR-8) without direct
// reads: a server that lags behind may answer those, and a replica that starts must not
// miss a pause that is in force.
func (q *Queue) bucket(name string, storage jetstream.StorageType) func(*jetstream.StreamConfig) {
	return func(c *jetstream.StreamConfig) {
		if c.Name == "" {
			// A bucket that is made again after it was lost goes on with higher revisions: none
			// that a replica remembers may be met by another value.
			c.FirstSeq = uint64(time.Now().UnixMilli())
		}
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

// bytes returns the maximum size of a stream. The server reserves that much, and has
// less memory than disk.
func (q *Queue) bytes(onDisk int64) int64 {
	if q.cfg.Memory {
		return onDisk / 4
	}
	return onDisk
}

func (q *Queue) batchConsumer(c *jetstream.ConsumerConfig) {
	commonConsumer(c)
	c.AckWait = q.cfg.AckWait
	c.MaxAckPending = 4096
	c.MaxRequestBatch = 10
}

func (q *Queue) refreshConsumer(c *jetstream.ConsumerConfig) {
	commonConsumer(c)
	c.AckWait = q.cfg.RefreshAckWait
	c.MaxAckPending = 4096
	c.MaxRequestBatch = maxFetch
}

func commonConsumer(c *jetstream.ConsumerConfig) {
	c.Name = consumerName
	c.Durable = consumerName
	c.AckPolicy = jetstream.AckExplicitPolicy
	c.DeliverPolicy = jetstream.DeliverAllPolicy
	c.MaxDeliver = maxDeliver
	if c.MaxWaiting == 0 {
		c.MaxWaiting = maxWaiting
	}
}
