// Package testkit holds what the tests of many packages need: a main function that finds leaked goroutines, checks of
// errors, waiting, work in the background, and a log to search.
package testkit

import (
	"bytes"
	"context"
	"flag"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sourcegraph/conc"
	"go.uber.org/goleak"

	"gorgone/internal/postgres/pgtest"
)

// atOnce is how many tests of a package run beside one another, at least: most of them wait for intervals, locks and
// messages, not for a processor. Each may open some twenty connections of the 200 that its server takes.
const atOnce = 8

// Main runs the tests of a package that uses pgtest, stops the Postgres server they shared, and fails if a goroutine
// is left. Call it from TestMain. Where there are few processors more tests run at once than the flag -parallel has by
// default.
func Main(m interface{ Run() int }) {
	// What the command line says is read later, by m.
	if err := flag.Set("test.parallel", strconv.Itoa(max(runtime.GOMAXPROCS(0), atOnce))); err != nil {
		panic(err) // there is no such flag
	}
	goleak.VerifyTestMain(withPostgres{m})
}

type withPostgres struct{ m interface{ Run() int } }

func (w withPostgres) Run() int { return pgtest.Run(w.m) }

// Must ends the test if err is not nil.
func Must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// Until waits for a condition that has no event. It ends the test after a minute.
func Until(tb testing.TB, condition func() bool) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := time.NewTimer(time.Minute)
	defer end.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-end.C:
			tb.Fatal("the condition did not become true")
		}
	}
}

// Background runs f until the end of the test, or until stop is called. Both wait for it.
func Background(tb testing.TB, f func(ctx context.Context)) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var running conc.WaitGroup
	running.Go(func() { f(ctx) })
	stop = func() {
		cancel()
		running.Wait()
	}
	tb.Cleanup(stop)
	return stop
}

// Log is a writer for a logger that keeps what is written. It is safe for concurrent use, and its zero value is empty.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String returns all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}
