// Package queue carries the engine's work through NATS JetStream: batches of due
// tweets, refresh requests that overtake them, results, dead letters, and the
// pace that all replicas share.
//
// Nothing here is the truth. What is due, and what was claimed by whom, lives in
// Postgres; the streams may be wiped at any moment, and then claims expire and
// rows fall due again. Delivery is at least once, and JetStream has no fencing:
// who applies a message must check that it still holds the claim.
//
// Streams of a queue with the prefix ENG, each with the one durable consumer
// "workers":
//
//	ENG_BATCH    work queue   eng.batch.due            one message a claim; kept for the lease
//	ENG_REFRESH  work queue   eng.refresh.<tweet id>   one message a tweet: requests coalesce
//	ENG_DLQ      log          eng.dlq.<lane>           what could not be handled, and why
//
// Core subjects, not stored: eng.done.<tweet id> (the result of a refresh),
// eng.evt.<kind> (events for live pages), eng.audience (somebody reads them) and
// eng.rollcall (who is there). Key-value buckets: ENG_PACE and ENG_PAUSE, see
// [Pace].
package queue
