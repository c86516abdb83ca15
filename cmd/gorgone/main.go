// Command gorgone keeps the engagement counters of tweets fresh in Postgres and
// records their history.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// The exit codes, as "gorgone --help" lists them.
const (
	exitFailed     = 1 // it did not work; the message says why
	exitUsage      = 2 // bad flags, arguments or configuration; nothing was done
	exitNotFound   = 3 // what was asked for is not there
	exitUnanswered = 4 // no answer within the time given
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly stop; handing the next one back to the
	// runtime makes it end the process at once.
	context.AfterFunc(ctx, stop)
	err := newRoot(os.Stdin, os.Stdout, os.Stderr).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gorgone:", err)
		os.Exit(exitCode(err))
	}
}

// exitError is an error that asks for an exit code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exitCode(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	// The library has no type for its own refusals.
	if text := err.Error(); strings.HasPrefix(text, "unknown command") || strings.HasPrefix(text, "if any flags in the group") {
		return exitUsage
	}
	return exitFailed
}

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}
