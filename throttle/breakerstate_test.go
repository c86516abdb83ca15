package throttle

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

// Whatever comes in whatever order: an open breaker lets nothing change but by a
// check, the rests of openings in a row grow up to the cap, one replica at a time
// checks, and old news opens nothing.
func TestBreakerRules(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cfg := BreakerConfig{Rest: time.Second, MaxRest: time.Minute, Random: func() float64 { return rapid.Float64Range(0, 0.999).Draw(t, "random") }}.withDefaults()
		e := breakerEntry{State: BreakerClosed}
		now := epoch
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 20_000).Draw(t, "ms")) * time.Millisecond)
			before := e
			switch rapid.SampledFrom([]string{"refused", "stale", "answered", "check"}).Draw(t, "step") {
			case "refused":
				e = e.opened(now, now, engagement.CauseOutOfCredit, "no credit", cfg)
				if e.State != BreakerOpen || before.State == BreakerOpen && (e.Opens != before.Opens || e.Next != before.Next) {
					t.Fatalf("%+v after a refusal of %+v", e, before)
				}
			case "stale":
				if since := fromMilli(e.Since); !since.IsZero() && e.State != BreakerOpen {
					if e = e.opened(since.Add(-time.Second), now, engagement.CauseOutOfCredit, "no credit", cfg); e != before {
						t.Fatalf("a call from before changed %+v to %+v", before, e)
					}
				}
			case "answered":
				e = e.closed(now, now)
				if want := before.State == BreakerHalfOpen; (e != before) != want || want && e.State != BreakerClosed {
					t.Fatalf("an answer changed %+v to %+v", before, e)
				}
			case "check":
				leased, ok := e.leased(now, cfg.Lease)
				if due := e.State == BreakerOpen && !now.Before(fromMilli(e.Next)); ok != due {
					t.Fatalf("a check of %+v at %s: %v", e, now, ok)
				}
				if !ok {
					continue
				}
				if _, again := leased.leased(now.Add(time.Millisecond), cfg.Lease); again {
					t.Fatal("two replicas check")
				}
				if rapid.Bool().Draw(t, "well") {
					e = leased.checked(now, "", "", cfg)
				} else {
					e = leased.checked(now, engagement.CauseOutage, "down", cfg)
				}
			}
			if e.State == BreakerOpen && e.Opens != before.Opens {
				rest := fromMilli(e.Next).Sub(now)
				longest := min(cfg.Rest<<min(e.Opens-1, 20), cfg.MaxRest)
				if rest < longest/2 || rest > longest+time.Millisecond {
					t.Fatalf("opening %d in a row rests %s, want half to all of %s", e.Opens, rest, longest)
				}
			}
		}
	})
}

func TestBreakerForgetsItsRestsWhenWell(t *testing.T) {
	t.Parallel()
	cfg := BreakerConfig{Random: func() float64 { return 0 }}.withDefaults()
	e := breakerEntry{State: BreakerClosed}
	now := epoch
	cycle := func() {
		e = e.opened(now, now, engagement.CauseOutage, "down", cfg)
		now = fromMilli(e.Next)
		e, _ = e.leased(now, cfg.Lease)
		e = e.checked(now, "", "", cfg)
		now = now.Add(time.Second)
		e = e.closed(now, now)
	}
	cycle()
	cycle()
	if e.State != BreakerClosed || e.Opens != 2 {
		t.Fatalf("after two openings close together: %+v", e)
	}
	now = now.Add(cfg.rest(2) - 2*time.Second)
	cycle()
	if e.Opens != 3 {
		t.Fatalf("after it was well for shorter than it rested: %+v", e)
	}
	now = now.Add(cfg.rest(3) + time.Second)
	cycle()
	if e.Opens != 1 {
		t.Errorf("after it was well for long: %+v", e)
	}
}

// Refreshes are told that the account is empty, not that the provider fails, until
// told otherwise.
func TestBreakerKeepsItsCauseWhenACheckFails(t *testing.T) {
	t.Parallel()
	cfg := BreakerConfig{}.withDefaults()
	e := breakerEntry{State: BreakerClosed}.opened(epoch, epoch, engagement.CauseOutOfCredit, "no credit", cfg)
	check := func(cause engagement.FailureCause, reason string) {
		now := fromMilli(e.Next)
		e, _ = e.leased(now, cfg.Lease)
		e = e.checked(now, cause, reason, cfg)
	}
	check(engagement.CauseOutage, "down")
	if e.Cause != engagement.CauseOutOfCredit || e.Reason != "no credit" {
		t.Errorf("after a check that could not be made: %+v", e)
	}
	check(engagement.CauseKeyRefused, "refused")
	if e.Cause != engagement.CauseKeyRefused || e.Reason != "refused" {
		t.Errorf("after a check that said something else: %+v", e)
	}
}

func FuzzDecodeBreaker(f *testing.F) {
	f.Add([]byte(`{"v":1,"revision":3,"state":"open","cause":"outage","since_ms":1,"next_ms":2,"opens":4}`))
	f.Add([]byte(`{"v":1,"state":"ajar"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := decodeBreaker(body)
		if err == nil && e.status().State == "" {
			t.Errorf("%s has no state", body)
		}
	})
}
