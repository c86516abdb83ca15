package cli

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/cli/migration"
	"gorgone/internal/cli/terminal"
	"gorgone/store/postgres"
)

func newMigrate(sh *shell) *cobra.Command {
	var asJSON *bool
	var check bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "Migrate the database and the streams",
		Long: `Migrate the database to the current schema. An empty database gets all tables; one
that has the product's tables gets what is missing, and nothing in it is renamed,
dropped or rewritten. Running it again changes nothing.

Indexes are built without blocking writers; a terminal shows how far they are. Where
DATABASE_URL goes through a transaction pooler, the role's statement_timeout bounds each
build; set GORGONE_MIGRATE_URL to a direct connection for a large database.

A table that has the name of one of the product's and another shape is named, with what
to do about it, before anything is changed. --check looks for just that.

With NATS_URL set, the streams are created or updated too. To change the lease,
stop every role, then run it with GORGONE_LEASE set.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := sh.locate(); err != nil {
				return err
			}
			url := string(cmp.Or(sh.cfg.Database.MigrateURL, sh.cfg.Database.URL))
			if check {
				return sh.checkMigrate(ctx, url, *asJSON)
			}
			return sh.migrate(ctx, url, *asJSON)
		},
	}
	asJSON = jsonFlag(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "only say whether the database fits, and change nothing")
	return cmd
}

// migrate migrates the database, and the streams where there is a queue.
func (sh *shell) migrate(ctx context.Context, url string, asJSON bool) error {
	stop := func() error { return nil }
	if app.IsTerminal(sh.errOut) {
		stop = migration.Watch(ctx, sh.errOut, url)
	}
	steps, err := postgres.Migrate(ctx, url)
	if err := stop(); err != nil {
		sh.log.Debug().Err(err).Msg("cannot see how far the indexes are")
	}
	for _, s := range steps {
		line := struct {
			Applied int64  `json:"applied"`
			Name    string `json:"name"`
		}{s.Version, s.Name}
		did := "applied "
		if s.Version == 0 {
			did = "built the index "
		}
		if err := sh.result(asJSON, line, "%s%s", did, s.Name); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	if len(steps) == 0 && !asJSON {
		sh.printf("the database is up to date\n")
	}
	if err := sh.printRetention(ctx, asJSON); err != nil {
		return err
	}
	if sh.cfg.Queue.URL == "" {
		if !asJSON {
			sh.printf("NATS_URL is not set: the streams are made by the first role that starts\n")
		}
		return nil
	}
	q, err := sh.process.OpenQueue(ctx, sh.cfg.Queue, app.QueueOptions{AdoptLease: true})
	if err != nil {
		return err
	}
	defer q.Close()
	return sh.result(asJSON, struct {
		LeaseSeconds float64 `json:"lease_seconds"`
	}{q.Lease().Seconds()}, "the streams are up to date; a claim lasts %s", terminal.Duration(q.Lease()))
}

// checkMigrate says what of the database does not fit.
func (sh *shell) checkMigrate(ctx context.Context, url string, asJSON bool) error {
	misfits, err := postgres.CheckMigrate(ctx, url)
	if err != nil {
		return err
	}
	if len(misfits) > 0 {
		for _, m := range misfits {
			if asJSON {
				if err := sh.result(true, m, ""); err != nil {
					return err
				}
			}
		}
		return &postgres.MisfitError{Misfits: misfits}
	}
	return sh.result(asJSON, struct {
		Fits bool `json:"fits"`
	}{true}, "the database fits: gorgone migrate makes what is missing, and changes nothing that is there")
}
