package queue

import (
	"testing"
	"time"
)

// A message is still owned if the server never missed an extension
// for an AckWait, and confirmed one within the last half of one.
func TestHeardLately(t *testing.T) {
	t.Parallel()
	const wait = 30 * time.Second
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	type answer struct{ said, answered float64 }
	for name, c := range map[string]struct {
		answers []answer
		now     float64
		want    bool
	}{
		"just delivered":            {nil, 0, true},
		"within half":               {nil, 14.9, true},
		"not extended for half":     {nil, 15, false},
		"kept alive":                {[]answer{{10, 10.1}, {20, 20.1}, {30, 30.1}}, 44, true},
		"answered late":             {[]answer{{10, 24}}, 24, true},
		"counted from what it said": {[]answer{{10, 24}}, 25, false},
		"a gap that was closed":     {[]answer{{29, 29.9}}, 30, true},
		"a gap of an ack wait":      {[]answer{{29, 30}}, 30, false},
		"a gap is never forgotten":  {[]answer{{31, 31}, {32, 32}, {33, 33}}, 33, false},
	} {
		h := ackDeadline{last: start}
		for _, a := range c.answers {
			h.extended(at(a.said), at(a.answered), wait)
		}
		if got := h.stillOwned(at(c.now), wait); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
