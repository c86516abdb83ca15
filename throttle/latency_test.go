package throttle

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// After any past, the estimate follows what writes take: within a few dozen of them it is
// no less than that, not much more, and never beyond its limit.
func TestLatency(t *testing.T) {
	t.Parallel()
	if (latency{}).bound() != defaultWrite {
		t.Error("what is not known is no default")
	}
	rapid.Check(t, func(t *rapid.T) {
		var e latency
		draw := rapid.Int64Range(1, int64(2*time.Second))
		for range rapid.IntRange(0, 20).Draw(t, "writes before") {
			e = e.observe(time.Duration(draw.Draw(t, "took")))
		}
		now := time.Duration(draw.Draw(t, "takes now"))
		for range 150 {
			e = e.observe(now)
		}
		want := min(now, maxWritten)
		if got := e.bound(); got < want-want/50-time.Microsecond || got > want+want/50+time.Microsecond || got > maxWritten {
			t.Fatalf("estimate %s of what takes %s", got, now)
		}
	})
}
