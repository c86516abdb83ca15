package worker_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sourcegraph/conc"

	"gorgone/dispatcher"
	"gorgone/engagement"
	"gorgone/internal/enginetest"
	"gorgone/internal/testkit"
	"gorgone/throttle"
	"gorgone/twitter"
	"gorgone/twitter/fakeprovider"
)

// sourcesGate is the gate of a dispatcher that knows how the providers are doing.
type sourcesGate struct{ throttle.Providers }

func (g sourcesGate) Closed() string {
	stop, _ := g.Stopped()
	return stop.Reason
}

// dispatching runs a dispatcher until stop is called.
func (e *engine) dispatching(gate dispatcher.Gate) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(e.t.Context()))
	var running conc.WaitGroup
	running.Go(func() { e.dispatcher(gate).Run(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	e.t.Cleanup(stop)
	return stop
}

// awaitBreaker waits until a replica sees the breaker in the state.
func (e *engine) awaitBreaker(s throttle.Provider, want throttle.BreakerState) {
	e.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); s.Breaker.Status().State != want; <-tick.C {
		if time.Now().After(end) {
			e.t.Fatalf("the breaker is %+v, want %s", s.Breaker.Status(), want)
		}
	}
}

const blamed = `select count(*) from twitter_engagement_tracking where attempts > 0 or misses > 0 or retry_at is not null`

// The account runs empty, the key is refused, the provider is down: all replicas
// stop, nothing is claimed, no look-up is tried while it lasts, a refresh hears why at
// once, no row is blamed; and when it is over all is looked up.
func TestBreakerStopsAllAndLetsGoOn(t *testing.T) {
	t.Parallel()
	on, off, none, plenty := true, false, int64(0), int64(1_000_000)
	// The 12 calls that the tweets take, each asked again twice since one refusal says
	// nothing, three trials of each worker, the three checks that are waited for, a refresh.
	const refused = 12*3 + 2*3 + 3 + 1
	for name, tc := range map[string]struct {
		trouble, over fakeprovider.Injection
		cause         engagement.FailureCause
		lookups       int // more that may fail while it lasts, of two workers
	}{
		"out of credit": {fakeprovider.Injection{Credits: &none}, fakeprovider.Injection{Credits: &plenty}, engagement.CauseOutOfCredit, refused},
		"key refused":   {fakeprovider.Injection{RefuseKey: &on}, fakeprovider.Injection{RefuseKey: &off}, engagement.CauseKeyRefused, refused},
		"down":          {fakeprovider.Injection{Down: &on}, fakeprovider.Injection{Down: &off}, engagement.CauseOutage, 40},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t, engineOptions{tweets: 600})
			ids := e.track()
			testkit.Must(t, e.double.Inject(tc.trouble))
			watcher := e.ground.Source(t, "watcher", "test", 200, breakerRest)
			e.run(e.worker(workerOptions{rate: 200}), e.worker(workerOptions{rate: 200}))
			e.dispatching(sourcesGate{throttle.Providers{watcher}})
			e.awaitBreaker(watcher, throttle.BreakerOpen)
			e.eventually("rows are given back", `select count(*) from twitter_engagement_tracking where claim_id is null`, 600)
			if s := watcher.Breaker.Status(); s.Cause != tc.cause || s.Next.IsZero() || s.Since.IsZero() {
				t.Errorf("the breaker says %+v", s)
			}
			if done := e.refresh(ids[0]); done.Outcome != engagement.RequestFailed || done.Cause != tc.cause {
				t.Errorf("a refresh hears %s, %s: %s", done.Outcome, done.Cause, done.Reason)
			}
			e.triedTimes(3)
			lookups := 0
			for _, call := range e.double.Calls() {
				if call.Path == "/twitter/tweets" {
					lookups++
				}
			}
			if lookups > tc.lookups {
				t.Errorf("%d look-ups of a provider that is to be left alone", lookups)
			}
			if n := e.count(`select count(*) from gorgone.batches where done_at is null`); n != 0 {
				t.Errorf("%d batches are claimed", n)
			}
			if n := e.count(blamed); n != 0 && name != "down" {
				t.Errorf("%d rows are blamed", n)
			}
			testkit.Must(t, e.double.Inject(tc.over))
			_, err := e.sql.Exec(t.Context(), `update twitter_engagement_tracking set retry_at = null`)
			testkit.Must(t, err)
			e.eventually("tweets updated once", updatedOnce, 600)
			e.awaitBreaker(watcher, throttle.BreakerClosed)
		})
	}
}

// triedTimes waits until the provider was asked for a lone tweet so often more: that is
// how it is checked.
func (e *engine) triedTimes(more int) {
	e.t.Helper()
	count := func() (n int) {
		for _, call := range e.double.Calls() {
			if call.Path == "/twitter/tweets" && len(call.IDs) == 1 {
				n++
			}
		}
		return n
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for want, end := count()+more, time.Now().Add(30*time.Second); count() < want; <-tick.C {
		if time.Now().After(end) {
			e.t.Fatalf("the provider was tried %d times, want %d", count(), want)
		}
	}
}

// While the first provider is left alone a second one is asked, for batches and for
// refreshes, and its snapshots say so; then the first one is asked again.
func TestFallbackIsAskedWhileTheFirstIsLeftAlone(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 200})
	ids := e.track()
	second, err := fakeprovider.NewServer(fakeprovider.Config{Population: e.double.Population(), Now: e.clock.Now, Key: enginetest.ProviderKey})
	testkit.Must(t, err)
	t.Cleanup(second.Close)
	address, err := second.Listen(t.Context(), "")
	testkit.Must(t, err)
	none, plenty := int64(0), int64(1_000_000)
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Credits: &none}))
	watcher := e.ground.Source(t, "watcher", "test", 0, breakerRest)
	e.run(e.worker(workerOptions{fallback: address, rate: 200}), e.worker(workerOptions{fallback: address, rate: 200}))
	e.dispatch()
	e.eventually("tweets updated once", updatedOnce, 200)
	bySecond := `select count(*) from twitter_engagement_history where provider = 'x' and not provider_changed`
	e.eventually("snapshots of the second provider", bySecond, 200)
	if done := e.refresh(ids[0]); done.Outcome != engagement.RequestUpdated {
		t.Errorf("a refresh of the second provider: %+v", done)
	}
	if n := second.Stats().Returned; n < 200 {
		t.Errorf("the second provider answered for %d tweets", n)
	}
	if n := e.double.Stats().Returned; n != 0 {
		t.Errorf("the first provider answered for %d tweets", n)
	}

	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Credits: &plenty}))
	e.awaitBreaker(watcher, throttle.BreakerHalfOpen)
	// As if the look had been a while ago, so that the next adds a snapshot.
	_, err = e.sql.Exec(t.Context(), `update twitter_engagement_tracking set next_update_at = $1, retry_at = null,
		last_updated_at = last_updated_at - interval '5 minutes', snapshot_at = snapshot_at - interval '5 minutes'`, e.clock.Now())
	testkit.Must(t, err)
	e.dispatch()
	e.eventually("marked snapshots of the first provider", `select count(*) from twitter_engagement_history
		where provider = 'twitterapi.io' and provider_changed and engagement_velocity is null`, 200)
	e.awaitBreaker(watcher, throttle.BreakerClosed)
}

// Three workers meet the rate limit. By the provider's own log no call begins in the
// pause but those that had begun before it, and after it one goes first, which is
// refused while the limit lasts; no rows are blamed. How soon after a pause is
// written no call begins any more the drill measures: on a machine that stalls a call
// that had begun reaches the provider any time later.
func TestNoCallBeginsInAPause(t *testing.T) {
	t.Parallel()
	const workers, rate = 3, 40
	const slots = workers * 4 // batches in hand at once: calls that may be on their way
	e := newEngine(t, engineOptions{tweets: 3000})
	e.track()
	watcher := e.ground.Source(t, "watcher", "test", rate, breakerRest)
	for range workers {
		e.run(e.worker(workerOptions{rate: rate, ratePause: 1500 * time.Millisecond}))
	}
	e.dispatch()
	e.called(10)
	share := 1.0
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.RateLimited, Share: &share}}}))
	refused := func() (calls []fakeprovider.Record) {
		for _, c := range e.double.Calls() {
			if c.Status == 429 {
				calls = append(calls, c)
			}
		}
		slices.SortFunc(calls, func(a, b fakeprovider.Record) int { return a.Started.Compare(b.Started) })
		return calls
	}
	// Until the call that goes first was refused too.
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(90 * time.Second); ; <-tick.C {
		calls := refused()
		if len(calls) > 1 && calls[len(calls)-1].Started.Sub(calls[0].Answered) > time.Second {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d calls were refused", len(calls))
		}
	}
	zero := 0.0
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: fakeprovider.RateLimited, Share: &zero}}}))
	status, err := watcher.Limiter.Status(t.Context())
	testkit.Must(t, err)
	if n := int64(len(refused())); status.RateLimits < 1 || status.RateLimits > n || status.Factor > 0.5 {
		t.Errorf("after a pause and a refused first call: %+v, %d refusals", status, n)
	}
	first := refused()[0]
	late := 0
	for _, c := range e.double.Calls() {
		since := c.Started.Sub(first.Answered)
		if since > 250*time.Millisecond && since < 1500*time.Millisecond {
			late++
		}
	}
	// In the 1.25 s that is looked at some 50 would without a pause.
	if late > slots {
		t.Errorf("%d calls began in the pause", late)
	}
	e.eventually("tweets looked up", updatedOnce, 1000)
	if n := e.count(blamed); n != 0 {
		t.Errorf("%d rows are blamed for the rate limit", n)
	}
}

// What is left of the account is read by one worker and known to all.
func TestOneWorkerReadsTheBalance(t *testing.T) {
	t.Parallel()
	e := newEngine(t, engineOptions{tweets: 1})
	credits := int64(4321)
	testkit.Must(t, e.double.Inject(fakeprovider.Injection{Credits: &credits}))
	watcher := e.ground.Source(t, "watcher", "test", 0, breakerRest)
	e.run(e.worker(workerOptions{balanceEvery: time.Hour}), e.worker(workerOptions{balanceEvery: time.Hour}))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		balance, known, err := watcher.Account.Balance(t.Context())
		testkit.Must(t, err)
		if known {
			if balance.Left != credits || balance.Unit != twitter.UnitCredits {
				t.Errorf("the balance is %+v", balance)
			}
			break
		}
		if time.Now().After(end) {
			t.Fatal("no worker read the balance")
		}
	}
	status, err := throttle.Providers{watcher}.Status(t.Context())
	testkit.Must(t, err)
	if status[0].Balance == nil || strings.Contains(status[0].Provider, enginetest.ProviderKey) {
		t.Errorf("the statistics say %+v", status[0])
	}
	if n := e.double.Stats().Calls; n != 1 {
		t.Errorf("the balance was read %d times", n)
	}
}
