package dispatcher_test

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

	"gorgone/dispatcher"
	"gorgone/queue"
	"gorgone/store"
)

// play is a schedule with a backlog and workers of a fixed speed, in the time of a
// synctest bubble. It claims by the rules that [store.Store.Claim] documents.
type play struct {
	batches chan int // sizes
	perSlot float64  // tweets a second

	mu          sync.Mutex
	started     time.Time
	due         int
	outstanding int
	most        int // outstanding at any time
	done        int
	idleSince   time.Time // zero: workers are busy
	idle        time.Duration
	longestIdle time.Duration
}

func (p *play) Claim(_ context.Context, req store.ClaimRequest) (c store.Claimed, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.Outstanding = store.Outstanding{Tweets: p.outstanding, DonePerSecond: float64(p.done) / max(time.Since(p.started).Seconds(), 1)}
	want := min(req.Tweets, req.Allowance(c.Outstanding))
	c.Limited = want < req.Tweets
	for want = min(want, p.due); want > 0; want -= req.BatchTweets {
		c.Batches = append(c.Batches, store.Batch{ClaimID: uuid.New(), Tweets: make([]store.ClaimedTweet, min(want, req.BatchTweets))})
		c.Tweets += min(want, req.BatchTweets)
	}
	p.due -= c.Tweets
	p.outstanding += c.Tweets
	p.most = max(p.most, p.outstanding)
	c.MoreDue = p.due > 0
	if c.Tweets > 0 && !p.idleSince.IsZero() {
		idle := time.Since(p.idleSince)
		p.idle, p.longestIdle, p.idleSince = p.idle+idle, max(p.longestIdle, idle), time.Time{}
	}
	return c, nil
}

func (*play) Held(context.Context, uuid.UUID, []uuid.UUID) ([]uuid.UUID, error) { return nil, nil }

func (*play) Release(context.Context, uuid.UUID, []uuid.UUID) error { return nil }

func (p *play) PublishBatches(_ context.Context, batches []queue.Batch) ([]uuid.UUID, error) {
	for _, b := range batches {
		p.batches <- len(b.Tweets)
	}
	return nil, nil
}

// work is one slot of the workers.
func (p *play) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case n := <-p.batches:
			time.Sleep(time.Duration(float64(n) / p.perSlot * float64(time.Second)))
			if ctx.Err() != nil {
				return
			}
			p.mu.Lock()
			p.outstanding -= n
			p.done += n
			if p.outstanding == 0 && p.due > 0 {
				p.idleSince = time.Now()
			}
			p.mu.Unlock()
		}
	}
}

type bubbleClock struct{}

func (bubbleClock) Now() time.Time                     { return time.Now() }
func (bubbleClock) Agrees() error                      { return nil }
func (bubbleClock) Database() time.Time                { return time.Now() }
func (bubbleClock) Real(d time.Duration) time.Duration { return d }

// TestWorkersNeverIdleWhileWorkIsDue plays windows, ticks and workers of all speeds
// from a cold start. A backlog that outlasts the play waits for none of the dispatcher's
// ticks: workers that have nothing left are served within half a second, and idle
// for no more than a second in all, before the window has opened. Still, what is
// outstanding can be finished within its lease.
func TestWorkersNeverIdleWhileWorkIsDue(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		speed := rapid.Float64Range(50, 30_000).Draw(rt, "tweets a second")
		slots := rapid.IntRange(1, 64).Draw(rt, "slots")
		tick := time.Duration(rapid.IntRange(1, 600).Draw(rt, "tick")) * time.Second
		batch := rapid.IntRange(50, 500).Draw(rt, "tweets a batch")
		first := rapid.IntRange(1000, 5000).Draw(rt, "first window")
		limit := rapid.SampledFrom([]float64{0, 1, 1.5}).Draw(rt, "rate as a part of the speed")
		w := dispatcher.Window{Lease: 3 * time.Minute, First: first, Rate: limit * speed}
		const length = 20 * time.Second
		p := &play{perSlot: speed / float64(slots), due: int(speed*2*length.Seconds()) + first}
		synctest.Test(t, func(t *testing.T) {
			p.batches, p.started = make(chan int, 1<<16), time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), length)
			defer cancel()
			d := dispatcher.New(dispatcher.Config{Every: tick, BatchTweets: batch, Window: w}, p, p, gate{}, bubbleClock{}, zerolog.Nop())
			var running conc.WaitGroup
			running.Go(func() { d.Run(ctx) })
			for range slots {
				running.Go(func() { p.work(ctx) })
			}
			running.Wait()
			if !p.idleSince.IsZero() {
				idle := p.started.Add(length).Sub(p.idleSince)
				p.idle, p.longestIdle = p.idle+idle, max(p.longestIdle, idle)
			}
		})
		if p.longestIdle > 500*time.Millisecond || p.idle > time.Second {
			rt.Fatalf("workers were idle for %s in all, and for %s at once, while work was due", p.idle, p.longestIdle)
		}
		if took := float64(p.most) / speed; took > w.Lease.Seconds() {
			rt.Fatalf("%d outstanding tweets take %.0f s, the lease is %s", p.most, took, w.Lease)
		}
	})
}
