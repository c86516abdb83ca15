package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"gorgone/internal/setup"
)

func newSetup(sh *shell) *cobra.Command {
	var file string
	var force bool
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Set up an installation: settings, migration, schedule, checks",
		Long: `Ask for database, NATS, provider and QStash, write the settings into a file that
only you may read, check and migrate the database, create the QStash schedule if a
token is given, check everything, and say what is left to do.

What is set in the environment already is not asked for; without a terminal nothing
is. Secrets are no flags, since others on the machine can read those. A file that
exists is replaced only after asking, or with --force. Running it again is safe.`,
		Example: `  gorgone setup
  DATABASE_URL=… NATS_URL=… TWITTER_API_KEY=… gorgone setup --file /etc/gorgone/gorgone.env`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := setup.Prepare(sh.in, sh.errOut, file, force, &sh.cfg); err != nil {
				return err
			}
			sh.printf("wrote %s\n", file)
			return sh.setup(cmd.Context(), file)
		},
	}
	cmd.Flags().StringVar(&file, "file", "gorgone.env", "file to write the settings into")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file if it exists")
	return cmd
}

// setup does what the settings are for, once.
func (sh *shell) setup(ctx context.Context, file string) error {
	if err := sh.migrate(ctx, string(cmp.Or(sh.cfg.Database.MigrateURL, sh.cfg.Database.URL)), false); err != nil {
		return fmt.Errorf("the settings are in %s; set up again once this is mended: %w", file, err)
	}
	cron := sh.cfg.QStash.Token != ""
	if cron {
		if err := sh.putSchedule(ctx, usualSchedule(), usualLimit, false); err != nil {
			return fmt.Errorf("create the schedule: %w", err)
		}
	}
	e := examination{shell: sh}
	e.run(ctx, false)
	sh.printf("%s", setup.Left(file, cron))
	if e.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", e.failed, e.done)
	}
	return nil
}
