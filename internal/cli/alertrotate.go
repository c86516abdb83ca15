package cli

import (
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/alert"
	"gorgone/internal/app"
	"gorgone/internal/failure"
)

// maxOverlap is how long two secrets may sign beside one another.
const maxOverlap = 30 * 24 * time.Hour

func newWebhookRotate(sh *shell) *cobra.Command {
	var overlap time.Duration
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "rotate ID",
		Short: "Give a webhook a new signing secret and print it, once",
		Long: `Give a webhook a new signing secret and print it, once. Until the overlap is over every
message carries two signatures, one by each secret: configure the new one in the receiver
meanwhile. When a secret has become known to others, use --overlap 0s.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuidArg(args[0])
			if err != nil {
				return err
			}
			if overlap < 0 || overlap > maxOverlap {
				return failure.Usagef("--overlap %s: want 0s to %s", overlap, maxOverlap)
			}
			return sh.withStore(cmd, func(d *app.Database) error {
				secret := alert.NewSecret()
				err := d.Alerts.RotateWebhook(cmd.Context(), id, secret, overlap)
				if errors.Is(err, alert.ErrRotating) {
					return failure.Usagef("%w: wait until that is over (gorgone alert webhooks list), or use --overlap 0s", err)
				}
				if err != nil {
					return err
				}
				until := d.Clock.Database().Add(overlap).UTC()
				text := "secret   " + secret
				if overlap > 0 {
					text += "\nthe one before signs too until " + until.Format(time.DateTime)
				}
				return sh.result(*asJSON, struct {
					ID     uuid.UUID `json:"id"`
					Secret string    `json:"secret"`
					Until  time.Time `json:"until"` // the one before signs too
				}{id, secret, until}, "%s", text)
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", 24*time.Hour, "how long the secret before signs too (0s to 720h)")
	asJSON = jsonFlag(cmd)
	return cmd
}
