// Package twitter looks up the public counters of tweets, many at a call, at
// twitterapi.io ([TwitterAPI]) or at the X API v2 ([XAPI]).
//
// A look-up never guesses. Every requested id ends in exactly one of three
// lists: found with its counts, missing from an otherwise valid answer, or
// unresolved because nothing was learnt about it. An error, a time-out or a
// refusal is never an absence, an absent counter is never a zero, and a missing
// tweet is not called deleted here: that is for the caller to judge over several
// answers.
//
// Clients do not retry and do not pace themselves. What to do about a failed call
// depends on its kind (see [Kind], [Retryable]), and the permission for every HTTP
// call comes from the caller's [Gate]. One gate pass is one request on the wire.
//
// Clients are safe for concurrent use.
package twitter
