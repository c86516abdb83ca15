package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"gorgone/store"
)

func newMigrate(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the database, and the streams, up to date",
		Long: `Bring the database up to the current schema. An empty one gets all tables; one
that already has the product's tables gets what is missing, and nothing of it is
renamed, dropped or rewritten. Running it again changes nothing.

Indexes are built without blocking writers, which needs a direct connection:
where DATABASE_URL goes through a transaction pooler, set GORGONE_MIGRATE_URL.

With NATS_URL set, the streams are made or brought up to date too. This is also
how the lease is changed: stop every role, then run it with GORGONE_LEASE set.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := a.locate(); err != nil {
				return err
			}
			steps, err := store.Migrate(ctx, string(cmp.Or(a.cfg.Database.MigrateURL, a.cfg.Database.URL)))
			for _, s := range steps {
				a.printf("applied %05d %s\n", s.Version, s.Name)
			}
			if err != nil {
				return err
			}
			if len(steps) == 0 {
				a.printf("the database is up to date\n")
			}
			if a.cfg.Queue.URL == "" {
				a.printf("NATS_URL is not set: the streams are made by the first role that starts\n")
				return nil
			}
			var open resources
			defer open.close()
			m, err := a.openStreams(ctx, &open)
			if err != nil {
				return err
			}
			a.printf("the streams are up to date; a claim lasts %s\n", m.queue.Lease())
			return nil
		},
	}
}
