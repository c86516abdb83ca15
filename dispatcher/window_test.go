package dispatcher_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/dispatcher"
)

func TestWindow(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		rate, done  float64
		outstanding int
		want        int
	}{
		"nothing measured yet":           {0, 0, 0, 1000},
		"workers finish 100 a second":    {0, 100, 0, 3000},
		"less what is outstanding":       {0, 100, 2500, 500},
		"more outstanding than allowed":  {0, 100, 9000, 0},
		"never more than the rate gives": {10, 400, 0, 300},
		"a slow key bounds the first":    {1, 0, 0, 30},
		"a very slow key gets one":       {0.001, 0, 0, 1},
	} {
		w := dispatcher.Window{Lease: 3 * time.Minute, First: 1000, Rate: tc.rate}
		if got := w.Allowance(tc.outstanding, tc.done); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}

// TestWindowFindsTheWorkersPace plays ticks against workers of a fixed speed:
// the window must grow until they never idle, and stay small enough for all that
// is outstanding to be finished within a lease.
func TestWindowFindsTheWorkersPace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		speed := rapid.Float64Range(50, 30000).Draw(t, "tweets a second")
		const tick = 5.0
		w := dispatcher.Window{Lease: 3 * time.Minute, First: 1000}
		outstanding, done, idle := 0.0, 0.0, 0
		for i := range 60 {
			outstanding += float64(w.Allowance(int(outstanding), done))
			if outstanding/speed > w.Lease.Seconds() {
				t.Fatalf("tick %d: %.0f outstanding take %.0f s, the lease is %s", i, outstanding, outstanding/speed, w.Lease)
			}
			finished := min(outstanding, speed*tick)
			if finished < speed*tick {
				idle++
			}
			outstanding -= finished
			done = finished / tick
		}
		if idle > 6 {
			t.Fatalf("workers idled in %d of 60 ticks", idle)
		}
	})
}
