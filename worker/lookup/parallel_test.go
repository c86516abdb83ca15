package lookup

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/sourcegraph/conc"
	"pgregory.net/rapid"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/twitter"
)

// open lets everything through that a provider's limiter and breaker are asked for.
type open struct {
	Limiter
	Breaker
}

func (open) Allow() error                         { return nil }
func (open) Succeeded(context.Context, time.Time) {}
func (open) Answered(context.Context, time.Time)  {}
func (open) Paused() (until time.Time, reason string, paused bool) {
	return time.Time{}, "", false
}

type bubbleClock struct{}

func (bubbleClock) Now() time.Time                     { return time.Now() }
func (bubbleClock) Database() time.Time                { return time.Now() }
func (bubbleClock) Agrees() error                      { return nil }
func (bubbleClock) Real(d time.Duration) time.Duration { return d }

type noTweets struct{}

func (noTweets) Canaries(context.Context, []string, int) ([]string, error) { return nil, nil }
func (noTweets) RecordCalls(context.Context, bool, ...store.Calls) error   { return nil }
func (noTweets) ShareBaseline(context.Context, engagement.Sample) (b engagement.Baseline, err error) {
	return b, nil
}
func (noTweets) SetAside(context.Context, uuid.UUID, bool, int, []string) error { return nil }
func (noTweets) ReleaseAside(context.Context, ...uuid.UUID) error               { return nil }

// provider takes a fixed time for each call, and grants so many a second. It counts.
type provider struct {
	latency  time.Duration
	interval time.Duration // between two calls

	mu                 sync.Mutex
	next               time.Time
	inFlight, mostHeld int
	began              []time.Time
}

// Wait implements [twitter.Gate]: a slot of the rate.
func (p *provider) Wait(ctx context.Context) error {
	p.mu.Lock()
	p.next = p.next.Add(p.interval)
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	slot := time.Until(p.next)
	p.mu.Unlock()
	return sleep(ctx, context.Background(), slot)
}

func (p *provider) call(ctx context.Context, gate twitter.Gate, ids []string) (twitter.Answer, error) {
	if err := gate.Wait(ctx); err != nil {
		return twitter.Answer{}, err
	}
	p.mu.Lock()
	p.inFlight++
	p.mostHeld = max(p.mostHeld, p.inFlight)
	p.began = append(p.began, time.Now())
	p.mu.Unlock()
	began := time.Now()
	time.Sleep(p.latency)
	p.mu.Lock()
	p.inFlight--
	p.mu.Unlock()
	a := twitter.Answer{Provider: "test", Calls: 1, Took: p.latency, Billed: len(ids)}
	for _, id := range ids {
		a.Found = append(a.Found, twitter.Found{ID: id, At: began})
	}
	return a, nil
}

// run looks batches of 300 tweets up in all of slots, for so long.
func (p *provider) run(t *testing.T, rate float64, slots, maxCalls int, length time.Duration) {
	t.Helper()
	asked := &Provider{
		Name: "test", Lookup: p.call, MaxIDs: func() int { return 50 }, Rate: rate, Batch: p, Limiter: open{}, Breaker: open{},
	}
	c := New(Config{CallTimeout: time.Second, MaxCalls: maxCalls}, Parts{
		Providers: []*Provider{asked}, Tweets: noTweets{}, Clock: bubbleClock{}, Random: func() float64 { return 0.5 }, Log: zerolog.Nop(),
	})
	stop, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var batches conc.WaitGroup
	for range slots {
		batches.Go(func() {
			for stop.Err() == nil {
				for a := range c.Lookup(t.Context(), stop, Request{
					Class: queue.ClassBatch, IDs: numbered(300), Standings: make(map[string]engagement.PriorState),
					Until: time.Now().Add(time.Hour), Log: zerolog.Nop(),
				}) {
					if len(a.Failed) > 0 {
						t.Errorf("failed: %v", a.Err)
					}
				}
			}
		})
	}
	batches.Wait()
}

// TestCallsFollowRateTimesLatency has a provider of 800 ms and one of 20 ms at 200 calls
// a second. Both reach the rate, the first with 160 calls in flight, the second with no
// more than the few that it needs.
func TestCallsFollowRateTimesLatency(t *testing.T) {
	t.Parallel()
	const rate = 200
	for _, tc := range []struct {
		latency     time.Duration
		least, most int // in flight at once
	}{
		{800 * time.Millisecond, rate * 8 / 10, rate*8/10*headroom + leastCalls},
		{20 * time.Millisecond, rate * 2 / 100, leastCalls + 2*rate*2/100},
	} {
		for _, known := range []float64{rate, 0} {
			synctest.Test(t, func(t *testing.T) {
				p := &provider{latency: tc.latency, interval: time.Second / rate}
				began := time.Now()
				p.run(t, known, 64, 256, 15*time.Second)
				if p.mostHeld < tc.least || known > 0 && p.mostHeld > tc.most {
					t.Errorf("%s, rate known as %v: %d calls in flight, want %d to %d", tc.latency, known, p.mostHeld, tc.least, tc.most)
				}
				last := 0
				for _, at := range p.began {
					if at.Sub(began) >= 10*time.Second {
						last++
					}
				}
				if want := 5 * rate; last < want-rate/100 || last > want+1 {
					t.Errorf("%s, rate known as %v: %d calls in the last five seconds, want %d", tc.latency, known, last, want)
				}
			})
		}
	}
}

// TestCallsInFlightAreBounded: whatever the latency, the rate, and how many batches are
// looked up, no more calls are in flight than the bound, and the pace holds.
func TestCallsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		rate := rapid.IntRange(1, 300).Draw(rt, "calls a second")
		latency := time.Duration(rapid.IntRange(1, 2000).Draw(rt, "ms a call")) * time.Millisecond
		slots, bound := rapid.IntRange(1, 40).Draw(rt, "batches"), rapid.IntRange(1, 64).Draw(rt, "bound")
		p := &provider{latency: latency, interval: time.Second / time.Duration(rate)}
		synctest.Test(t, func(t *testing.T) { p.run(t, float64(rate), slots, bound, 5*time.Second) })
		if p.mostHeld > bound {
			rt.Fatalf("%d calls in flight, the bound is %d", p.mostHeld, bound)
		}
		for i := range p.began {
			if i >= rate && p.began[i].Sub(p.began[i-rate]) < time.Duration(rate)*p.interval {
				rt.Fatalf("%d calls within %s", rate+1, p.began[i].Sub(p.began[i-rate]))
			}
		}
	})
}

// TestAPlaceIsTakenInOrderAndGivenBack: callers get places as they are freed, in their
// order; one that ends while it waits leaves its place to the next.
func TestAPlaceIsTakenInOrderAndGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := &parallelism{most: 1}
		if err := p.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		order := make(chan int, 3)
		quit, cancel := context.WithCancelCause(t.Context())
		var waiting conc.WaitGroup
		for i := range 3 {
			ctx := t.Context()
			if i == 0 {
				ctx = quit
			}
			waiting.Go(func() {
				if err := p.acquire(ctx); err != nil {
					order <- -1
					return
				}
				order <- i
				p.release(time.Now(), 0)
			})
			synctest.Wait()
		}
		cancel(ErrStopping)
		synctest.Wait()
		p.release(time.Now(), 0)
		waiting.Wait()
		if a, b, c := <-order, <-order, <-order; a != -1 || b != 1 || c != 2 || p.calls != 0 {
			t.Errorf("order %d, %d, %d, and %d places are taken", a, b, c, p.calls)
		}
	})
}
