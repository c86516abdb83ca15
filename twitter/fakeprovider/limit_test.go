package fakeprovider

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestLimiterHolds checks every window of calls allowed at random times.
func TestLimiterHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.SampledFrom([]float64{0.2, 0.5, 1, 3, 20}).Draw(t, "rate")
		burst := rapid.IntRange(0, 3).Draw(t, "burst")
		var l limiter
		l.set(rate, burst)
		now := time.Unix(1_700_000_000, 0)
		var taken []time.Time
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(2*float64(time.Second)/rate)).Draw(t, "gap")))
			a := l.take(now)
			in := 0
			for _, other := range taken {
				if now.Sub(other) < l.window {
					in++
				}
			}
			if a.allowed != (in < l.most) {
				t.Fatalf("%d of %d calls in the window, and allowed is %v", in, l.most, a.allowed)
			}
			if a.allowed {
				taken = append(taken, now)
				if a.remaining != l.most-in-1 {
					t.Fatalf("%d remain, want %d", a.remaining, l.most-in-1)
				}
			} else if again := l.take(now.Add(a.until)); !again.allowed {
				t.Fatalf("told to come back in %s, and refused then", a.until)
			} else {
				now = now.Add(a.until)
				taken = append(taken, now)
			}
		}
	})
}

func TestLogKeepsTheLastCalls(t *testing.T) {
	t.Parallel()
	l := newCallLog(3, nil)
	for range 8 {
		var r Record
		l.begin(&r)
		r.Status = 200
		l.end(r)
	}
	kept := l.all()
	if len(kept) != 3 || kept[0].Seq != 6 || kept[2].Seq != 8 {
		t.Errorf("kept %+v", kept)
	}
	if s := l.snapshot(); s.Calls != 8 || s.ByStatus[200] != 8 || s.MaxPerSecond < 1 || s.MaxPerSecond > 8 {
		t.Errorf("stats %+v", s)
	}
}
