// Package history keeps the snapshots of tweets: it makes their partitions, reads
// and exports them, and cuts down what is older than it needs to be.
//
// Package store writes the snapshots. What this package changes are whole days that
// hardly anything writes to any more, so it never waits for a claim or an answer, nor they
// for it (but for the moment in which a partition is attached, and for an answer that ends
// a stretch without change which began on such a day).
package history
