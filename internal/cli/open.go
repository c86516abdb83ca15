package cli

import (
	"context"
	"fmt"

	"gorgone/internal/app"
	"gorgone/internal/clock"
	"gorgone/internal/devstack/runfile"
	"gorgone/internal/failure"
)

// locate fills in what the configuration leaves out from a running "gorgone up".
func (sh *shell) locate() (err error) {
	sh.demonstration, err = runfile.Locate(&sh.cfg, sh.dataDir)
	return err
}

// openDatabase opens the database that the environment, or a running up, names.
func (sh *shell) openDatabase(ctx context.Context) (*app.Database, error) {
	if err := sh.locate(); err != nil {
		return nil, err
	}
	return sh.process.OpenDatabase(ctx, sh.cfg)
}

// openQueue opens the queue that the environment, or a running up, names.
func (sh *shell) openQueue(ctx context.Context) (*app.Queue, error) {
	if err := sh.locate(); err != nil {
		return nil, err
	}
	if sh.cfg.Queue.URL == "" {
		return nil, fmt.Errorf("no queue: %w in %s; start it, or set NATS_URL", runfile.ErrNotRunning, sh.dataDir)
	}
	return sh.process.OpenQueue(ctx, sh.cfg.Queue, app.QueueOptions{})
}

// openLookups opens the providers.
func (sh *shell) openLookups(ctx context.Context, q *app.Queue, c *clock.Clock) (*app.Lookups, error) {
	return sh.process.OpenLookups(ctx, app.InOrder(sh.cfg), q, c)
}

// openApp opens the roles of a process.
func (sh *shell) openApp(ctx context.Context, roles ...app.Role) (*app.App, error) {
	if err := sh.locate(); err != nil {
		return nil, err
	}
	if sh.demonstration {
		return nil, failure.Usagef("the gorgone up in %s is a demonstration, and TWITTER_API_KEY would ask a real provider about its made-up tweets: unset it, or set DATABASE_URL and NATS_URL too", sh.dataDir)
	}
	return app.New(ctx, sh.cfg, app.Options{Process: sh.process, Roles: roles})
}

// runRole runs one role until ctx ends.
func (sh *shell) runRole(ctx context.Context, role app.Role) error {
	a, err := sh.openApp(ctx, role)
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(ctx)
}
