package queue

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Refresh asks for one tweet to be looked at now.
type Refresh struct {
	RequestID   uuid.UUID
	TweetID     string
	RequestedAt time.Time // database time
	Deadline    time.Time // nobody waits for the answer after this
}

// PublishRefresh puts a refresh into the queue. It reports coalesced when one for
// the same tweet is queued or in flight already, whose answer will do for this
// one too: then nothing is added. The error wraps [ErrFull] when the lane is full.
func (q *Queue) PublishRefresh(ctx context.Context, r Refresh) (coalesced bool, err error) {
	return false, errNotBuilt
}
