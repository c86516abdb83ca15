// Package lookup asks providers for tweets and says what came of it, tweet by
// tweet.
//
// [Client.Lookup] is one call for the caller. It picks the provider whose circuit
// breaker is closed, waits for a slot of the shared rate while that makes sense,
// decides whether what an answer lacks can be believed, tells all replicas about rate
// limits, faults and recoveries, asks again after a back-off, bisects a call that is
// refused because of one tweet, and counts what all of it costs. It writes nothing.
//
// [Client.CheckProviders] checks providers whose breaker is open and reads the
// balances of the accounts.
package lookup
