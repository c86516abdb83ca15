// Package twittertest is a double of the tweet look-up providers: a [Server] that
// speaks the wire formats of twitterapi.io and of the X API v2 over real HTTP,
// about a [Population] of tweets whose counters grow as the clock runs.
//
// The population either replays real retweet cascades ([LoadCascades],
// [NewReplay]) or is drawn from kernels fitted on such ([NewSynthetic]). Given the
// same options it is the same population, and a tweet's counters at a given time
// are always the same numbers: what was stored can be checked against the truth.
//
// The server can be made to fail in the ways the providers do ([Fault],
// [TweetFault]), keeps a log of the calls ([Record]) and counts what it bills. A
// process that runs it on its own is steered through HTTP below /_double/.
package twittertest
