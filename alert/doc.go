// Package alert tells people what alert rules have found: it posts what is in the
// store's outbox to webhooks, signed, and to those who watch live.
//
// An alert is delivered at least once. Every attempt carries the same id, by which
// a receiver knows it again.
package alert
