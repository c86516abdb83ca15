// Package engagement holds the rules of a tweet's life under observation: what
// its counts are, what changed since the last look-up, how fast it moves, and
// when to look it up again.
//
// The package is pure. It does no I/O, has no clock and no randomness of its
// own: times and random numbers are passed in. It imports only the standard
// library, and everything else in the module may import it.
package engagement
