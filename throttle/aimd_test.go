package throttle

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/queue"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	at := func(s float64) time.Time { return epoch.Add(time.Duration(s * float64(time.Second))) }
	type refusal struct{ began, now, after float64 }
	for name, tc := range map[string]struct {
		refusals []refusal
		episodes int64
		until    float64
	}{
		"one":                                  {[]refusal{{9, 10, 5}}, 1, 15},
		"of the same moment, by four replicas": {[]refusal{{9, 10, 5}, {9.1, 10.1, 5}, {9.5, 10.2, 5}, {9.9, 10.3, 5}}, 1, 15.3},
		"of a call that was under way when the pause was written, and was answered after it": {[]refusal{{9, 10, 1}, {9.9, 18, 1}}, 1, 19},
		"of the first call after the pause":                                                  {[]refusal{{9, 10, 5}, {15, 15.2, 5}}, 2, 20.2},
		"a shorter one does not shorten the pause":                                           {[]refusal{{9, 10, 60}, {9.5, 11, 1}}, 1, 70},
		"long after": {[]refusal{{9, 10, 5}, {500, 501, 5}}, 2, 506},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var e pauseEntry
			for _, r := range tc.refusals {
				e = e.rateLimited(at(r.began), at(r.now), time.Duration(r.after*float64(time.Second)), 0)
			}
			if e.Episode != tc.episodes || !e.until().Equal(at(tc.until)) || e.Reason != PauseRateLimit {
				t.Errorf("%d episodes, paused until +%s, %q", e.Episode, e.until().Sub(epoch), e.Reason)
			}
		})
	}
}

// While the first call after each pause is refused again, without saying how long
// to wait, pauses grow; up to a cap, and by chance.
func TestRefusalsInARowBackOff(t *testing.T) {
	t.Parallel()
	const rests = 5 * time.Second
	rapid.Check(t, func(t *rapid.T) {
		var e pauseEntry
		now := epoch
		for n := range 30 {
			random := rapid.Float64Range(0, 0.999).Draw(t, "random")
			e = e.rateLimited(now, now.Add(100*time.Millisecond), rests, random)
			rest := e.until().Sub(now.Add(100 * time.Millisecond))
			most := maxRateLimitPause
			if n < 8 {
				most = min(most, max(rests, rests<<n))
			}
			if rest < rests || rest > most+time.Millisecond {
				t.Fatalf("refusal %d rests %s, want %s to %s", n+1, rest, rests, most)
			}
			if e.Episode != int64(n+1) {
				t.Fatalf("refusal %d is episode %d", n+1, e.Episode)
			}
			now = e.until().Add(time.Second)
		}
	})
}

// Whatever the order of pauses, reservations and answers: no slot lies before the
// end of a pause, one slot alone comes first after it and nothing until it is
// answered or given up, an episode halves once, and clean calls bring all of it back.
func TestRecovery(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.2, 5, 20, 200}).Draw(t, "rate")
		l := newLimits(rate, 0.1, 0.03)
		s := l.initial(epoch)
		now := epoch
		var episode int64
		for range rapid.IntRange(1, 6).Draw(t, "pauses") {
			episode++
			until := now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "rest")) * time.Second)
			before := s.Factor
			for range rapid.IntRange(1, 4).Draw(t, "replicas that see it") {
				s = s.paused(until, episode)
			}
			if want := max(before/2, minFactor); s.Factor != want {
				t.Fatalf("factor %v after a refusal at %v", s.Factor, before)
			}
			for _, class := range []queue.Class{queue.ClassBatch, queue.ClassRefresh} {
				if at := l.earliest(s, class); at.Before(until) {
					t.Fatalf("%s may reserve %s before the end of the pause", class, until.Sub(at))
				}
			}
			class := rapid.SampledFrom([]queue.Class{queue.ClassBatch, queue.ClassRefresh}).Draw(t, "class")
			now = later(until, l.earliest(s, class))
			next, first, n := l.scaled(l.factorAt(s, now)).reserve(s, class, now, 50)
			if n != 1 || first.Before(until) || l.earliest(next, queue.ClassRefresh).Before(first.Add(l.probe)) {
				t.Fatalf("%d slots from %s after the end of the pause, the next reservation at %s", n, first.Sub(until), l.earliest(next, queue.ClassRefresh).Sub(until))
			}
			s = next
			if s.answered(until.Add(-time.Nanosecond), now) != s {
				t.Fatal("an answer to a call from before the pause ended it")
			}
			now = first.Add(100 * time.Millisecond)
			s = s.answered(first, now)
			if !s.HoldUntil.IsZero() || !s.ProbeUntil.IsZero() {
				t.Fatalf("after the answer: %+v", s)
			}
		}
		// No burst: the first second of the recovery holds no more than the rate.
		resumed, calls := now, 0
		for end := now.Add(time.Second); now.Before(end); now = later(now.Add(time.Millisecond), l.earliest(s, queue.ClassRefresh)) {
			var n int
			s, _, n = l.scaled(l.factorAt(s, now)).reserve(s, queue.ClassRefresh, now, 100)
			calls += n
		}
		if most := max(2, rate*0.3); float64(calls) > most {
			t.Fatalf("%d calls in the first second after the probe, want at most %.0f", calls, most)
		}
		for range 100_000 {
			if s.Factor == 1 && l.factorAt(s, now) == 1 {
				break
			}
			now = later(now, l.earliest(s, queue.ClassRefresh))
			s, _, _ = l.scaled(l.factorAt(s, now)).reserve(s, queue.ClassRefresh, now, 100)
		}
		if s.Factor != 1 {
			t.Fatalf("factor %v %s after the last refusal", s.Factor, now.Sub(resumed))
		}
		if again := s.paused(resumed.Add(-time.Hour), episode); again.Factor != 1 || !again.HoldUntil.IsZero() {
			t.Fatalf("an old pause holds again: %+v", again)
		}
	})
}
