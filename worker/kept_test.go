package worker_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorgone/internal/testkit"
	"gorgone/store"
)

// cutStore is a store that takes nothing of what a worker has paid for, by a worker's view.
type cutStore struct{ *failingStore }

func (e *engine) cutStore() cutStore {
	s := &failingStore{Store: e.store, code: "57P03", severity: "FATAL", refuses: func([]string) bool { return true }}
	s.left.Store(1 << 30)
	return cutStore{s}
}

func (s cutStore) RecordCalls(ctx context.Context, refresh bool, calls ...store.Calls) error {
	if err := s.fail(); err != nil {
		return err
	}
	return s.Store.RecordCalls(ctx, refresh, calls...)
}

// TestPaidAnswersOutliveTheirWorker: a worker has paid for a batch, or for a refresh, that the
// database does not take, and is stopped or killed. The next one writes it: each tweet was
// paid for once, is written once, and its cost is in the ledger.
func TestPaidAnswersOutliveTheirWorker(t *testing.T) {
	t.Parallel()
	for _, refresh := range []bool{false, true} {
		for _, killed := range []bool{false, true} {
			t.Run(fmt.Sprintf("refresh %t killed %t", refresh, killed), func(t *testing.T) {
				t.Parallel()
				tweets := 100
				if refresh {
					tweets = 1
				}
				e := newEngine(t, engineOptions{tweets: tweets, lease: 40 * time.Second, ackWait: 4 * time.Second})
				ids := e.track()
				q, cut := e.apart()
				stop := e.run(e.worker(workerOptions{store: e.cutStore(), queue: q, grace: time.Millisecond}))
				if refresh {
					e.ask(ids[0], 4*time.Second)
				} else {
					e.dispatch()
				}
				poll(t, "what was paid for is kept", func() bool { return e.keptMessages() == 1 })
				if killed {
					cut()
				} else {
					stop()
				}
				e.eventually("requests that wait", `select count(*) from gorgone.refresh_requests where deadline > clock_timestamp()`, 0)
				if n := e.count(snapshots); n > 0 {
					t.Fatalf("%d answers are written", n)
				}
				e.run(e.worker(workerOptions{}), e.worker(workerOptions{}))
				e.eventually("tweets updated once", updatedOnce, tweets)
				poll(t, "nothing is kept any more", func() bool { return e.keptMessages() == 0 })
				e.drained()
				e.observedOnce(tweets)
				if n, s := e.count(paid), e.double.Stats(); n != tweets || int(s.Returned) != tweets {
					t.Errorf("%d tweets in the ledger, %d paid for, want %d", n, s.Returned, tweets)
				}
			})
		}
	}
}

// TestWhatNothingTakesIsSaid: neither the database nor the queue takes what was paid for when
// the worker stops. The log says so.
func TestWhatNothingTakesIsSaid(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 20})
	e.track()
	q, cut := e.apart()
	var log testkit.Log
	calls := make(chan struct{}, 1)
	s := e.cutStore()
	s.refuses = func([]string) bool {
		select {
		case calls <- struct{}{}:
			cut()
		default:
		}
		return true
	}
	stop := e.run(e.worker(workerOptions{store: s, queue: q, grace: time.Millisecond, own: &log}))
	e.dispatch()
	e.called(1)
	<-calls
	stop()
	if !strings.Contains(log.String(), "answers that were paid for are lost") {
		t.Errorf("the log says %s", log.String())
	}
}

// keptMessages counts the messages that are kept.
func (e *engine) keptMessages() int {
	e.t.Helper()
	d, err := e.queue.Depth(e.t.Context())
	testkit.Must(e.t, err)
	return d.Kept
}
