// Command gorgone keeps the engagement counters of tweets fresh in Postgres and
// records their history.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"gorgone/internal/cli"
)

// version is set by the release build; without one the module's own version is shown.
var version string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly stop; handing the next one back to the
	// runtime makes it end the process at once.
	context.AfterFunc(ctx, stop)
	err := cli.New(os.Stdin, os.Stdout, os.Stderr, version).ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gorgone:", err)
		os.Exit(cli.ExitCode(err))
	}
}
