// Package queue carries the engine's work through NATS JetStream: batches of due tweets,
// refresh requests that overtake them, results, events and dead letters. It also offers
// a [Cell], a small value that all replicas share.
//
// JetStream is not the source of truth. What is due, and who has claimed it, is in
// Postgres; the streams may be wiped at any moment, and then claims expire and rows fall
// due again. Delivery is at least once, and JetStream has no fencing: a consumer must
// check that it still holds the claim before it applies a message.
//
// Streams of a queue with the prefix ENG, each with the durable consumer "workers":
//
//	ENG_BATCH    work queue   eng.batch.due            one message per claim; kept for the lease
//	ENG_REFRESH  work queue   eng.refresh.<tweet id>   one message per tweet: requests coalesce
//	ENG_KEPT     work queue   eng.kept.<claim id>      answers that were paid for and could not be written
//	ENG_DLQ      log          eng.dlq.<class>          messages that could not be handled, and why
//
// Core subjects, which are not stored: eng.done.<tweet id> (the result of a refresh),
// eng.evt.<kind> (events for live pages), eng.audience (a subscriber to them is present)
// and eng.rollcall (requests for the presence of replicas). Key-value buckets: ENG_PACE
// (in memory) and ENG_PAUSE (on disk), see [Cell].
package queue
