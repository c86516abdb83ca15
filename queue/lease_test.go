package queue

import (
	"testing"
	"time"
)

// A short lease brings a short ack wait with it, or a batch whose worker died
// could not be taken over within it.
func TestAckWaitFollowsLease(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		cfg     Config
		lease   time.Duration
		ackWait time.Duration
		valid   bool
	}{
		{"default", Config{}, DefaultLease, 30 * time.Second, true},
		{"long lease", Config{}, time.Hour, 30 * time.Second, true},
		{"short lease", Config{}, 24 * time.Second, 6 * time.Second, true},
		{"set, and short enough", Config{AckWait: 5 * time.Second}, 24 * time.Second, 5 * time.Second, true},
		{"set, and too long", Config{AckWait: 30 * time.Second}, time.Minute, 30 * time.Second, false},
		{"too short for any", Config{}, 2 * time.Second, 500 * time.Millisecond, false},
	} {
		got := c.cfg.withDefaults().withLease(c.lease)
		if got.AckWait != c.ackWait || (got.validate() == nil) != c.valid {
			t.Errorf("%s: ack wait %s, %v", c.name, got.AckWait, got.validate())
		}
	}
}
