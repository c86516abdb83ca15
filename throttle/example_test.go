package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"gorgone/engagement"
	"gorgone/internal/natsserver"
	"gorgone/queue"
	"gorgone/throttle"
)

// openExample opens a queue on an embedded NATS server.
func openExample(ctx context.Context) (q *queue.Queue, closeAll func()) {
	dir, err := os.MkdirTemp("", "gorgone-example-")
	if err != nil {
		log.Fatal(err)
	}
	server, err := natsserver.Start(natsserver.Options{StoreDir: dir})
	if err != nil {
		log.Fatal(err)
	}
	conn, err := queue.Connect(ctx, queue.Options{InProcess: server.InProcess()})
	if err != nil {
		log.Fatal(err)
	}
	q, err = queue.Open(ctx, conn, queue.Config{})
	if err != nil {
		log.Fatal(err)
	}
	return q, func() {
		conn.Close()
		server.Stop()
		os.RemoveAll(dir)
	}
}

// A worker waits for its turn before each call, and reports a 429 to all replicas.
func ExampleLimiter() {
	ctx := context.Background()
	q, closeAll := openExample(ctx)
	defer closeAll()

	limiter, err := throttle.NewLimiter(ctx, q, throttle.LimiterConfig{Key: "hash-of-the-api-key", Rate: 100}, wallClock{})
	if err != nil {
		log.Fatal(err)
	}
	defer limiter.Close()

	refreshes := limiter.Class(queue.ClassRefresh)
	if err := refreshes.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	started := time.Now()
	// The call is made here, and answered with 429 and Retry-After: 60.
	if err := limiter.RateLimited(ctx, started, time.Minute); err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var paused *throttle.PausedError
	if err := refreshes.Wait(ctx); errors.As(err, &paused) {
		fmt.Println("paused:", paused.Reason)
	}
	// Output: paused: rate limit
}

// An empty account stops all replicas until a check says that calls may be tried again.
func ExampleBreaker() {
	ctx := context.Background()
	q, closeAll := openExample(ctx)
	defer closeAll()

	breaker, err := throttle.NewBreaker(ctx, q, throttle.BreakerConfig{Key: "hash-of-the-api-key", Provider: "example"}, wallClock{})
	if err != nil {
		log.Fatal(err)
	}
	defer breaker.Close()

	breaker.Open(ctx, time.Now(), engagement.CauseOutOfCredit, "the account is empty")
	var open *throttle.OpenError
	if err := breaker.Allow(); errors.As(err, &open) {
		fmt.Println(open.Provider, "is not called:", open.Cause)
	}
	// Output: example is not called: out_of_credit
}
