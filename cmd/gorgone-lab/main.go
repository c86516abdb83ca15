// Command gorgone-lab measures Gorgone on this machine, lets everything go wrong
// around it, and replays tweets through its schedules.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gorgone/internal/failure"
	"gorgone/internal/lab"
)

// version is set by the release build.
var version = "unknown"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly stop; the next one ends the process at once.
	context.AfterFunc(ctx, stop)
	err := lab.NewCommand(os.Stdout, os.Stderr, version).ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "gorgone-lab:", err)
	if failure.KindOf(err) == failure.Usage {
		os.Exit(2)
	}
	os.Exit(1)
}
