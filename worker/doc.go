// Package worker fetches batches and refreshes from the queue, looks the tweets up
// and writes the results.
//
// The order is: a free slot, then a message, then a slot of the shared rate, then the
// call. Nothing is fetched before it can be worked on, so that no message ages in a
// buffer and a refresh never waits behind one. A message is acked once its outcome is
// in Postgres, or its claim has been released.
//
// There are four kinds of failure. What is not counted as one (a rate limit, a stop, a
// pause) is waited out while the lease lasts, or the claim is released. After a fault of
// the provider the tweets are asked for again, and then it is counted on the rows. A
// call that is refused because of one tweet is bisected until that tweet stands alone.
// And a message that cannot be handled at all is dead-lettered.
//
// Package lookup decides which of them a failure is; this package settles rows and
// messages accordingly.
package worker
