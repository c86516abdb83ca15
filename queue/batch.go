package queue

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
)

// ErrFull is returned when the stream holds as many messages as it may. The
// dispatcher gives the claim back and tries again later.
var ErrFull = errors.New("queue is full")

// ErrTooLarge is returned for a message that is larger than its stream accepts.
var ErrTooLarge = errors.New("message too large")

// MaxBatchTweets is the most tweet ids one batch message may hold.
const MaxBatchTweets = 500

// Tweet is one tweet id of a batch and the rows that track it.
type Tweet struct {
	ID   string      // as [engagement.CheckTweetID] accepts it
	Rows []uuid.UUID // ids of twitter_tweets, at least one
}

// Batch is one claim's worth of due tweets.
type Batch struct {
	ID     uuid.UUID // the claim, which is also the message id
	Until  time.Time // end of the lease, as the claim wrote it
	Tweets []Tweet   // 1 to [MaxBatchTweets], each id once
	Trace  string    // W3C traceparent; may be empty
}

// PublishBatches puts the batches into the queue, all at once, and waits until
// each is stored. It returns the ids of those that are not in the queue, in order,
// and an error that says why (joined; wraps [ErrFull], [ErrTooLarge], or what
// NATS said); the error is nil if and only if none was refused. When NATS is away
// it fails at once and buffers nothing.
//
// A batch counts as refused when its fate is unknown (the answer was lost): it
// may be delivered all the same, and whoever applies it sees that the claim is gone.
func (q *Queue) PublishBatches(ctx context.Context, batches []Batch) (refused []uuid.UUID, err error) {
	return nil, errNotBuilt
}
