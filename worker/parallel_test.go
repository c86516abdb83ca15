package worker_test

import (
	"testing"

	"github.com/sourcegraph/conc"

	"gorgone/engagement"
)

// TestAWorkerTakesNoMoreThanItCanCallFor: with two calls a batch and 16 calls at once, as
// many as are allowed before a provider's latency is known, a worker has eight batches
// under way and two in reserve, whatever its slots and the queue hold. A refresh does not
// wait for any of them. When calls are answered it goes on.
func TestAWorkerTakesNoMoreThanItCanCallFor(t *testing.T) {
	t.Parallel()
	const tweets, batches, calls = 3000, 30, 16
	e := newEngine(t, engineOptions{tweets: tweets})
	e.window = tweets
	ids := e.track()
	if r := e.dispatch(); r.Batches != batches {
		t.Fatalf("dispatched %+v", r)
	}
	there, goOn := make(chan struct{}, 1000), make(chan struct{})
	w := e.worker(workerOptions{slots: batches, lookup: beforeCall(there, goOn)})
	stop := e.run(w)
	for range calls {
		<-there
	}
	const inHand = calls/2 + 2
	poll(t, "two more batches are in hand", func() bool { return w.Progress().InHand == inHand })
	var refresh conc.WaitGroup
	refresh.Go(func() {
		if r := e.refresh(ids[len(ids)-1]); r.Outcome != engagement.RequestUpdated && r.Outcome != engagement.RequestCurrent {
			t.Errorf("the refresh ended with %+v", r)
		}
	})
	<-there // the refresh's
	if n := w.Progress().InHand; n != inHand+1 || len(there) > 0 {
		t.Errorf("%d batches and refreshes are in hand, want %d; %d more calls were begun", n, inHand+1, len(there))
	}
	close(goOn)
	refresh.Wait()
	e.eventually("tweets updated", `select count(*) from twitter_engagement_tracking where update_count > 0 and claim_id is null`, tweets)
	stop()
}
