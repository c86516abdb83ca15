package throttle_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gorgone/queue"
	"gorgone/throttle"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds everything a test waits for; it is never reached when all is well.
const patience = 2 * time.Minute

func testContext(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// await asks until what was to happen has.
func await(tb testing.TB, what string, happened func() bool) {
	tb.Helper()
	ctx := testContext(tb)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("it never came to this: %s", what)
		}
	}
}

// wallClock stands for the clock of the database.
type wallClock struct{}

func (wallClock) Database() time.Time { return time.Now() }

// join joins the rate limiter of a key, as a replica does.
func join(tb testing.TB, q *queue.Queue, cfg throttle.LimiterConfig) *throttle.Limiter {
	tb.Helper()
	p, err := throttle.NewLimiter(testContext(tb), q, cfg, wallClock{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}
