// Package migration shows on a terminal how far a migration of the database is.
package migration

import (
	"context"
	"fmt"
	"io"
	"time"

	"gorgone/internal/cli/terminal"
	"gorgone/store/postgres"
)

// Watch shows the building of indexes in the database at url until stop is called, which
// returns why it could not be seen. out is a terminal.
func Watch(ctx context.Context, out io.Writer, url string) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		d := display{out: out, now: time.Now}
		err := postgres.WatchBuilds(ctx, url, d.show)
		d.bar.End()
		ended <- err
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

// display has a line for each phase of each index, and a bar under the last one.
type display struct {
	out  io.Writer
	now  func() time.Time
	last postgres.Build // without what changes within a phase
	bar  *terminal.Progress
}

func (d *display) show(b postgres.Build) {
	phase := b
	phase.Done = 0
	if phase != d.last {
		d.bar.End()
		if phase.Index != d.last.Index || phase.Phase != d.last.Phase {
			_, _ = fmt.Fprintf(d.out, "%s: %s\n", b.Index, b.Phase)
		}
		d.last, d.bar = phase, terminal.New(d.out, b.Unit, b.Total, d.now)
	}
	d.bar.Show(b.Done)
}
