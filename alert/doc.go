// Package alert raises alerts by rules and posts them to webhooks, signed, and to
// live subscribers.
//
// Its [Manager] keeps the rules, and evaluates them in the transactions that write
// what was looked up: it implements the hook that package store calls there. An alert
// and its deliveries are therefore stored with the counts that raised it, or not at
// all. A [Sender] then delivers them at least once.
package alert
