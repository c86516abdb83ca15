// Package fakeprovider fakes the tweet look-up providers: a [Server] speaks the wire
// formats of twitterapi.io and of the X API v2 over real HTTP, about a [Population] of
// tweets whose counters grow as the clock runs.
//
// The population either replays real retweet cascades ([LoadCascades], [NewReplay]) or
// is drawn from kernels fitted to such cascades ([NewSynthetic]). The same options give
// the same population, and a tweet's counters at a given time are always the same
// numbers, so what was stored can be checked against the truth.
//
// The server fails on demand in the ways the providers do ([Fault], [TweetFault]),
// keeps a log of the calls ([Record]) and counts what it bills. Faults are injected
// with [Server.Inject] or, into a process of its own, over HTTP below /_double/.
package fakeprovider
