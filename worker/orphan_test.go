package worker_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker"
)

// ask records a request for a tweet, and publishes it.
func (e *engine) ask(id string, life time.Duration) store.RefreshRequest {
	e.t.Helper()
	r := e.record(id, life)
	_, err := e.queue.PublishRefresh(e.t.Context(), queue.Refresh{RequestID: r.ID, TweetID: id, RequestedAt: r.RequestedAt, Deadline: r.Deadline})
	testkit.Must(e.t, err)
	return r
}

// record records a request for a tweet that is not published.
func (e *engine) record(id string, life time.Duration) store.RefreshRequest {
	e.t.Helper()
	tweets, err := e.store.FindTweet(e.t.Context(), id)
	testkit.Must(e.t, err)
	r, fresh, err := e.store.OpenRefresh(e.t.Context(), store.RequestRefresh{
		ID: uuid.Must(uuid.NewV7()), Row: tweets[0].Row, Requester: "a user", Wait: life,
	})
	testkit.Must(e.t, err)
	if fresh {
		e.t.Fatal("no look-up is needed")
	}
	return r
}

// ended waits until a request has ended.
func (e *engine) ended(id uuid.UUID) store.RefreshRequest {
	e.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := e.store.RefreshRequest(e.t.Context(), id)
		testkit.Must(e.t, err)
		if r.Outcome != engagement.RequestOpen {
			return r
		}
		select {
		case <-tick.C:
		case <-e.t.Context().Done():
			e.t.Fatal("the request is open for ever")
		}
	}
}

// fetch fetches the refreshes that wait, as a worker does that dies with them.
func (e *engine) fetch(n int) []*queue.RefreshDelivery {
	e.t.Helper()
	in, err := e.queue.ConsumeRefreshes(e.t.Context())
	testkit.Must(e.t, err)
	defer in.Stop()
	group, err := in.Fetch(e.t.Context(), 10)
	testkit.Must(e.t, err)
	if len(group) != n {
		e.t.Fatalf("%d refreshes wait, want %d", len(group), n)
	}
	return group
}

// missed commits an answer that lacks the tweet.
func (e *engine) missed(r store.RefreshRequest) {
	e.t.Helper()
	_, err := e.store.ApplyRefresh(e.t.Context(), []store.RefreshResult{{
		TweetID: r.TweetID, RequestedAt: r.RequestedAt, Kind: store.Missing, Observation: engagement.Observation{At: e.clock.Now()},
	}})
	testkit.Must(e.t, err)
}

// TestNoRequestIsOrphaned has a request miss the look-up whose message it shares, or has
// its message vanish, in every way there is; a worker that starts then answers it.
func TestNoRequestIsOrphaned(t *testing.T) {
	t.Parallel()
	const life = time.Minute
	for name, lose := range map[string]func(e *engine, id string) store.RefreshRequest{
		"the worker died between commit and ack": func(e *engine, id string) store.RefreshRequest {
			first := e.ask(id, life)
			group := e.fetch(1)
			e.missed(first)
			r := e.ask(id, life)
			testkit.Must(e.t, group[0].Nak(0)) // as the end of its AckWait
			return r
		},
		"the worker died between the commit of a failure and its ack": func(e *engine, id string) store.RefreshRequest {
			e.ask(id, life)
			group := e.fetch(1)
			testkit.Must(e.t, e.store.FailRefreshes(e.t.Context(), []store.RefreshFailure{{TweetID: id, Cause: "provider", Reason: "for a test"}}))
			r := e.ask(id, life)
			testkit.Must(e.t, group[0].Nak(0)) // as the end of its AckWait
			return r
		},
		"the worker died right after the ack": func(e *engine, id string) store.RefreshRequest {
			first := e.ask(id, life)
			group := e.fetch(1)
			e.missed(first)
			r := e.ask(id, life)
			testkit.Must(e.t, group[0].Ack(e.t.Context()))
			return r
		},
		"the first request is past its deadline": func(e *engine, id string) store.RefreshRequest {
			e.ask(id, time.Microsecond)
			return e.ask(id, life)
		},
		"the first request was cancelled": func(e *engine, id string) store.RefreshRequest {
			first := e.ask(id, life)
			r := e.ask(id, life)
			testkit.Must(e.t, e.store.CancelRefresh(e.t.Context(), first.ID))
			return r
		},
		"the message aged out": func(e *engine, id string) store.RefreshRequest {
			r := e.ask(id, life)
			testkit.Must(e.t, e.fetch(1)[0].Ack(e.t.Context())) // as the stream's limit removes it
			return r
		},
		"the message was dead-lettered": func(e *engine, id string) store.RefreshRequest {
			e.ask(id, life)
			group := e.fetch(1)
			testkit.Must(e.t, e.store.FailRefreshes(e.t.Context(), []store.RefreshFailure{{TweetID: id, Cause: "late", Reason: "for a test"}}))
			r := e.ask(id, life)
			testkit.Must(e.t, group[0].DeadLetter(e.t.Context(), "for a test"))
			return r
		},
		"the web server died before it published": func(e *engine, id string) store.RefreshRequest {
			return e.record(id, life)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 1})
			id := e.track()[0]
			r := lose(e, id)
			e.run(e.worker(workerOptions{}))
			if got := e.ended(r.ID); got.Outcome != engagement.RequestUpdated {
				t.Errorf("ended %q: %s", got.Outcome, got.Reason)
			}
			if s := e.double.Stats(); s.Calls != 1 {
				t.Errorf("%d calls, want 1", s.Calls)
			}
		})
	}
}

// TestARequestNobodyWaitsForCostsNothing: the queue took the message of a request although
// its web server heard that it did not.
func TestARequestNobodyWaitsForCostsNothing(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 2})
	ids := e.track()
	r := e.ask(ids[0], time.Minute)
	testkit.Must(t, e.store.CancelRefresh(t.Context(), r.ID))
	e.run(e.worker(workerOptions{}))
	if got := e.ended(e.ask(ids[1], time.Minute).ID); got.Outcome != engagement.RequestUpdated {
		t.Errorf("ended %q: %s", got.Outcome, got.Reason)
	}
	if s := e.double.Stats(); s.Returned != 1 {
		t.Errorf("%d tweets were paid for, want 1", s.Returned)
	}
}

// pressing calls press when the first result is announced: the results of the whole group
// are committed then, and not all of its messages are acked.
type pressing struct {
	worker.Announcer

	once  sync.Once
	press func(announced string)
}

func (p *pressing) PublishResult(ctx context.Context, d queue.RefreshResult) error {
	p.once.Do(func() { p.press(d.TweetID) })
	return p.Announcer.PublishResult(ctx, d)
}

// TestARequestBetweenCommitAndAckIsAnswered: a call for two tweets fails, and the user of
// the second one, who reads so, asks again before the second message is acked.
func TestARequestBetweenCommitAndAckIsAnswered(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 3})
	ids := e.track()
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.RateLimited, Next: 1}}}))
	other := map[string]string{ids[0]: ids[1], ids[1]: ids[0]}
	e.ask(ids[0], time.Minute)
	e.ask(ids[1], time.Minute)
	again := make(chan store.RefreshRequest, 1)
	e.run(e.worker(workerOptions{announcer: &pressing{Announcer: e.queue, press: func(announced string) {
		again <- e.ask(other[announced], time.Minute)
	}}}))
	if got := e.ended((<-again).ID); got.Outcome != engagement.RequestUpdated {
		t.Errorf("the second request ended %q: %s", got.Outcome, got.Reason)
	}
}
