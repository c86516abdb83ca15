package worker_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
	"gorgone/worker/lookup"
)

// TestADuplicateBatchIsPaidForOnce: a message that is delivered again to the
// worker that has it in hand, as after the queue was unavailable, is put off.
func TestADuplicateBatchIsPaidForOnce(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20})
	ids := e.track()
	claimed, err := e.store.Claim(t.Context(), store.ClaimRequest{Tweets: 100, BatchTweets: 100, BatchRows: 100, Lease: e.queue.Lease()})
	testkit.Must(t, err)
	batch := claimed.Batches[0]
	type tweet struct {
		ID   string      `json:"id"`
		Rows []uuid.UUID `json:"rows"`
	}
	message := struct {
		V      int       `json:"v"`
		ID     uuid.UUID `json:"id"`
		Until  time.Time `json:"until"`
		Tweets []tweet   `json:"tweets"`
	}{V: 1, ID: batch.ClaimID, Until: batch.Until}
	for _, w := range batch.Tweets {
		message.Tweets = append(message.Tweets, tweet{w.TweetID, w.Rows})
	}
	body, err := json.Marshal(message)
	testkit.Must(t, err)
	for range 2 {
		testkit.Must(t, e.queue.Republish(t.Context(), queue.DeadLetter{Subject: "t.batch.due", Body: body}))
	}
	asked, release := make(chan struct{}, 10), make(chan struct{})
	stop := e.run(e.worker(workerOptions{lookup: func(next lookup.CallFunc) lookup.CallFunc {
		return func(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
			asked <- struct{}{}
			<-release
			return next(ctx, gate, ids)
		}
	}}))
	<-asked
	// The second is put off, not worked on: it is not waiting for its turn any more.
	depth := func() queue.ClassDepth {
		d, err := e.queue.Depth(t.Context())
		testkit.Must(t, err)
		return d.Batch
	}
	for depth().Pending > 0 {
		if t.Context().Err() != nil {
			t.Fatal("the second message was never taken")
		}
	}
	close(release)
	e.eventually("tweets updated once", updatedOnce, len(ids))
	stop()
	e.called(1)
}
