// Package worker takes batches and refreshes from the queue, looks the tweets up
// and has the store write what was seen.
//
// The order of things is: a free slot, then a message, then a token of the shared
// pace, then the call. Nothing is taken before it can be worked on, so that no
// message ages in a buffer and a refresh never waits behind one. A message is
// acked once its outcome is in Postgres, or its claim has been given back.
//
// A failure has one of four homes. What is nobody's fault (a rate limit, a stop,
// a pause) is held while the lease lasts, or given back uncounted. A provider's
// fault is asked again after a back-off, and then counted on the rows. A call that
// is refused because of one tweet is halved until that tweet stands alone. And a
// message that cannot be handled at all goes to the dead letters.
package worker
