// Package simulate replays the recorded or made-up lives of tweets through
// schedules, and measures what each would have cost and shown.
//
// A tweet is replayed exactly, event by event, on its own: a look-up returns the true
// count at its age. The price of [engagement.Adaptive] is what tells tweets apart,
// so no queue is needed to compare policies; what a queue, batches and a rate limit
// add is measured with the real engine in the loop.
//
// Everything is deterministic by seed, however many cores there are.
package simulate
