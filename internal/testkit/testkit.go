// Package testkit holds what the tests of many packages need: a main function that finds leaked goroutines, checks of
// errors, waiting, work in the background, and a log to search.
package testkit

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/sourcegraph/conc"
	"go.uber.org/goleak"

	"gorgone/internal/postgres/pgtest"
)

// Main runs the tests of a package that uses pgtest, stops the Postgres server they shared, and fails if a goroutine
// is left. Call it from TestMain.
func Main(m *testing.M) { goleak.VerifyTestMain(withPostgres{m}) }

type withPostgres struct{ m *testing.M }

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
