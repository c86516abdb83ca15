package throttle_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/sourcegraph/conc"

	"gorgone/internal/natsserver/natstest"
	"gorgone/queue"
	"gorgone/queue/queuetest"
	"gorgone/throttle"
)

// Replicas that all want more than the rate together get the rate, and never more
// of it than one second may hold; refreshes get through.
func TestReplicasShareThePace(t *testing.T) {
	t.Parallel()
	const rate, replicas, waiters, wanted, refreshes = 200, 4, 8, 500, 20
	server := natstest.Start(t)
	ctx := testContext(t)
	var log grantLog
	var wg conc.WaitGroup
	for range replicas {
		p := join(t, queuetest.Open(t, server, queue.Config{}), throttle.LimiterConfig{Key: "k", Rate: rate, OnGrant: log.add})
		for range waiters {
			wg.Go(func() {
				for log.count() < wanted {
					if err := p.Class(queue.ClassBatch).Wait(ctx); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			for range refreshes {
				if err := p.Class(queue.ClassRefresh).Wait(ctx); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()

	if most := busiest(log.times(), time.Second); most > rate {
		t.Errorf("%d calls within a second, want at most %d", most, rate)
	}
	grants := log.bySlot()
	counts := map[queue.Class]int{}
	for i, g := range grants {
		counts[g.Class]++
		if late := g.At.Sub(g.Slot); late < 0 || late > 21*time.Millisecond {
			t.Errorf("a call started %s after its slot", late)
		}
		if i > 0 && g.Slot.Sub(grants[i-1].Slot) < time.Second/rate {
			t.Errorf("two slots are only %s apart", g.Slot.Sub(grants[i-1].Slot))
		}
	}
	if counts[queue.ClassRefresh] != replicas*refreshes || counts[queue.ClassBatch] < wanted-replicas*refreshes {
		t.Errorf("calls by class: %v", counts)
	}
}

// While batches of another replica take all they may, a refresh has about one of
// their runs before it: 2 calls at this rate. The rate is low, so that a machine that
// stalls does not make many of few.
func TestRefreshOvertakesSaturatedBatches(t *testing.T) {
	t.Parallel()
	const run, refreshes = 2, 8
	server := natstest.Start(t)
	var log grantLog
	cfg := throttle.LimiterConfig{Key: "k", Rate: 40, OnGrant: log.add}
	busy, other := join(t, queuetest.Open(t, server, queue.Config{}), cfg), join(t, queuetest.Open(t, server, queue.Config{}), cfg)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	var wg conc.WaitGroup
	for range 64 {
		wg.Go(func() {
			for busy.Class(queue.ClassBatch).Wait(ctx) == nil {
			}
		})
	}
	for range refreshes {
		if err := other.Class(queue.ClassRefresh).Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	wg.Wait()
	// With room for a machine that stalls, half a second for each. In turn with the 64
	// others a refresh would have 64 before it.
	if n := log.count() - refreshes; n > (run+20)*refreshes {
		t.Errorf("%d batch calls started meanwhile, want about %d", n, run*refreshes)
	}
}

// A slot that was not used in time is lost: the calls of other replicas may follow
// too closely on it.
func TestLateSlotIsForfeited(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	var log grantLog
	var clock jumpingClock
	p, err := throttle.NewLimiter(testContext(t), q, throttle.LimiterConfig{Key: "k", Rate: aheadRate, OnGrant: log.add}, &clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	waiting := reserveAhead(t, p)
	clock.ahead.Store(int64(5 * time.Second)) // as if the process had been frozen
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	grants := log.bySlot()
	if last := grants[len(grants)-1]; len(grants) != 2 || last.At.Sub(last.Slot) > 100*time.Millisecond { // of seconds
		t.Errorf("%d calls, the last %s after its slot", len(grants), last.At.Sub(last.Slot))
	}
	// A busy machine may forfeit more.
	if s := p.Stats(); s.Forfeited < 1 || s.Reservations != 2+s.Forfeited {
		t.Errorf("stats are %+v, want a slot forfeited and one more reserved", s)
	}
}

// aheadRate is a rate at which the next slot is far enough ahead, two seconds, for what
// a test does until then.
const aheadRate = 0.5

// reserveAhead lets one call go, and then has another wait for a slot that is
// reserved already, at [aheadRate].
func reserveAhead(t *testing.T, p *throttle.Limiter) (waiting <-chan error) {
	t.Helper()
	class := p.Class(queue.ClassRefresh)
	if err := class.Wait(testContext(t)); err != nil {
		t.Fatal(err)
	}
	before := p.Stats().Reservations
	done := make(chan error, 1)
	ctx := testContext(t)
	go func() { done <- class.Wait(ctx) }()
	await(t, "a slot is reserved", func() bool { return p.Stats().Reservations > before })
	return done
}

// jumpingClock is a clock of the database that can be put forward.
type jumpingClock struct{ ahead atomic.Int64 }

func (c *jumpingClock) Database() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func TestPaceUnlimited(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	p := join(t, q, throttle.LimiterConfig{Key: "k"})
	// It needs no server.
	server.Stop()
	for range 1000 {
		if err := p.Class(queue.ClassBatch).Wait(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	if s := p.Stats(); s != (throttle.LimiterStats{}) {
		t.Errorf("stats are %+v", s)
	}
	server.Resume()
}

// When the deadline comes before the call may start, Wait says so at once.
func TestPaceDeadline(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	p := join(t, q, throttle.LimiterConfig{Key: "k", Rate: 0.001}) // a call in 1,000 s, longer than patience
	for _, class := range []queue.Class{queue.ClassBatch, queue.ClassRefresh} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := p.Class(class).Wait(ctx)
		if !errors.Is(err, throttle.ErrDeadline) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", class, err)
		}
		if ctx.Err() != nil {
			t.Errorf("%s: it waited for the deadline", class)
		}
		cancel()
	}
	stop := errors.New("stopping")
	ctx, cancel := context.WithCancelCause(t.Context())
	var wg conc.WaitGroup
	errs := make([]error, 3) // one reserves, the others wait for it
	for i := range errs {
		wg.Go(func() { errs[i] = p.Class(queue.ClassBatch).Wait(ctx) })
	}
	cancel(stop)
	wg.Wait()
	for _, err := range errs {
		if !errors.Is(err, stop) {
			t.Errorf("cancelled: %v", err)
		}
	}
}

// No call starts without a reservation: while NATS is unavailable Wait blocks, and goes on
// when it is back, although the server has forgotten the state.
func TestPaceWithoutServer(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	var log grantLog
	p := join(t, q, throttle.LimiterConfig{Key: "k", Rate: 500, OnGrant: log.add})
	class := p.Class(queue.ClassBatch)
	if err := class.Wait(testContext(t)); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	err := class.Wait(ctx)
	cancel()
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("without a server: %v", err)
	}
	if n := log.count(); n != 1 {
		t.Fatalf("%d calls started, want the one before", n)
	}
	server.Resume()
	if err := class.Wait(testContext(t)); err != nil {
		t.Fatal(err)
	}
}

// An unusable entry is replaced: garbage, or one that a replica with a
// wrong clock wrote.
func TestPaceReplacesBadEntry(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	ctx := testContext(t)
	bucket := stateBucket(t, server)
	for key, value := range map[string]string{
		"garbage":   "?",
		"next-year": `{"v":1,"all_us":99999999999999999,"batch_us":0,"factor":1}`,
	} {
		if _, err := bucket.PutString(ctx, key, value); err != nil {
			t.Fatal(err)
		}
		p := join(t, q, throttle.LimiterConfig{Key: key, Rate: 500})
		if err := p.Class(queue.ClassBatch).Wait(testContext(t)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
		entry, err := bucket.Get(ctx, key)
		if err != nil || strings.Contains(string(entry.Value()), "99999999999999999") || entry.Revision() < 2 {
			t.Errorf("%s: the entry is %s, %v", key, entry.Value(), err)
		}
	}
}

// The rate in force is part of the entry, so that a replica can slow all down.
func TestPaceFollowsSharedFactor(t *testing.T) {
	t.Parallel()
	server, q := queuetest.Start(t, queue.Config{})
	ctx := testContext(t)
	bucket := stateBucket(t, server)
	if _, err := bucket.PutString(ctx, "k", `{"v":1,"all_us":0,"batch_us":0,"factor":0.5}`); err != nil {
		t.Fatal(err)
	}
	var log grantLog
	p := join(t, q, throttle.LimiterConfig{Key: "k", Rate: 200, Margin: 0.5, OnGrant: log.add})
	var wg conc.WaitGroup
	for range 5 {
		wg.Go(func() {
			if err := p.Class(queue.ClassRefresh).Wait(testContext(t)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	grants := log.bySlot()
	for i, g := range grants[1:] {
		if gap := g.Slot.Sub(grants[i].Slot); gap < 20*time.Millisecond {
			t.Errorf("slots are %s apart, want 20ms at half of half of 200 a second", gap)
		}
	}
	entry, err := bucket.Get(ctx, "k")
	if err != nil || !strings.Contains(string(entry.Value()), `"factor":0.5`) {
		t.Errorf("the entry is %s, %v", entry.Value(), err)
	}
}

func TestPaceConfigFaults(t *testing.T) {
	t.Parallel()
	_, q := queuetest.Start(t, queue.Config{})
	_, err := throttle.NewLimiter(testContext(t), q, throttle.LimiterConfig{Key: "sk-SECRET!", Rate: -1, RefreshReserve: 0.95, Margin: 0.9}, wallClock{})
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, want := range []string{"key:", "rate -1", "refresh reserve 0.95", "margin 0.9"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "SECRET") {
		t.Error("the key is in the error")
	}
}

// stateBucket is the bucket of the shared rate limiter, past package queue.
func stateBucket(t *testing.T, server *natstest.Server) jetstream.KeyValue {
	t.Helper()
	js, err := jetstream.New(server.Connect(t))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := js.KeyValue(testContext(t), "ENG_PACE")
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

func (l *grantLog) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.list)
}

func (l *grantLog) all() []throttle.Grant {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.list)
}

func (l *grantLog) bySlot() []throttle.Grant {
	list := l.all()
	slices.SortFunc(list, func(a, b throttle.Grant) int { return a.Slot.Compare(b.Slot) })
	return list
}
