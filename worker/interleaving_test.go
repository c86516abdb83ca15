package worker_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/internal/testkit"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter/fakeprovider"
	"gorgone/worker"
)

var errKilled = errors.New("this process is dead")

// process is a worker process that is killed at the n-th of the points between its
// steps, in a random run: it loses its connection to the queue, so no ack of it arrives,
// and its calls to the database have no effect any more. At other points users ask for
// tweets.
type process struct {
	*store.Store
	worker.Announcer

	mu     sync.Mutex
	left   int // points until it is killed
	kill   func()
	random *rand.Rand
	press  func()
}

// point is passed before and after each step.
func (p *process) point() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left == 0 {
		return errKilled
	}
	if p.random.IntN(2) == 0 {
		p.press()
	}
	if p.left--; p.left == 0 {
		p.kill()
		return errKilled
	}
	return nil
}

// step does one step, if the process lives, and reports whether it lives afterwards.
func step[T any](p *process, f func() (T, error)) (T, error) {
	if err := p.point(); err != nil {
		var none T
		return none, err
	}
	v, err := f()
	if dead := p.point(); dead != nil {
		return v, dead
	}
	return v, err
}

func (p *process) ApplyRefresh(ctx context.Context, results []store.RefreshResult, calls ...store.Calls) (store.Applied, error) {
	return step(p, func() (store.Applied, error) { return p.Store.ApplyRefresh(ctx, results, calls...) })
}

func (p *process) FailRefreshes(ctx context.Context, failures []store.RefreshFailure) error {
	_, err := step(p, func() (bool, error) { return true, p.Store.FailRefreshes(ctx, failures) })
	return err
}

func (p *process) OpenRequests(ctx context.Context, tweets []string) ([]store.RefreshRequest, error) {
	return step(p, func() ([]store.RefreshRequest, error) { return p.Store.OpenRequests(ctx, tweets) })
}

func (p *process) PublishResult(ctx context.Context, r queue.RefreshResult) error {
	_, err := step(p, func() (bool, error) { return true, p.Announcer.PublishResult(ctx, r) })
	return err
}

func (p *process) PublishRefresh(ctx context.Context, r queue.Refresh) (bool, error) {
	return step(p, func() (bool, error) { return p.Announcer.PublishRefresh(ctx, r) })
}

// TestRefreshesUnderRandomInterleavings kills workers at random points while users ask
// at random points, and calls fail at random. Every request ends, with one answer that
// stays.
func TestRefreshesUnderRandomInterleavings(t *testing.T) {
	t.Parallel()
	const tweets, processes, requests = 4, 12, 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) // #nosec G404 -- the test is repeatable
	e := newEngine(t, engineOptions{tweets: tweets, ackWait: time.Second})
	ids := e.track()
	var asked []store.RefreshRequest
	press := func() {
		if len(asked) < requests {
			asked = append(asked, e.ask(ids[random.IntN(len(ids))], time.Minute))
		}
	}
	for range processes {
		if random.IntN(2) == 0 {
			testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.RateLimited, Next: 1}}}))
		}
		press()
		conn, err := queue.Connect(t.Context(), queue.Options{URL: e.ground.NATS.ClientURL(), Log: zerolog.Nop()})
		testkit.Must(t, err)
		q, err := queue.Open(t.Context(), conn, queue.Config{Prefix: "T", Memory: true, AckWait: time.Second, RefreshAckWait: time.Second})
		testkit.Must(t, err)
		dead := make(chan struct{})
		p := &process{
			Store: e.store, Announcer: q, left: 1 + random.IntN(24), random: random, press: press,
			kill: func() {
				conn.Close()
				close(dead)
			},
		}
		stop := e.run(e.worker(workerOptions{store: p, requests: p, announcer: p, queue: q, grace: time.Millisecond}))
		<-dead
		stop()
	}
	e.run(e.worker(workerOptions{}))
	answers := make(map[uuid.UUID]store.RefreshRequest)
	for _, r := range asked {
		answers[r.ID] = e.ended(r.ID)
	}
	for _, r := range asked {
		got, err := e.store.RefreshRequest(t.Context(), r.ID)
		testkit.Must(t, err)
		if got != answers[r.ID] {
			t.Errorf("the answer to %s changed from %+v to %+v", r.ID, answers[r.ID], got)
		}
		if got.Outcome == engagement.RequestExpired {
			t.Errorf("request %s got no answer", r.ID)
		}
	}
}
