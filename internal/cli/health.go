package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/devstack/runfile"
	"gorgone/internal/failure"
)

func newHealth(sh *shell) *cobra.Command {
	var address string
	var alive bool
	var asJSON *bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the role on this machine whether it is ready",
		Long: `Ask the role that runs on this machine or in this container whether it is ready,
at the address in GORGONE_METRICS_ADDR or, without one, the gorgone up of the data
folder. For health checks where there is no curl. Exits with 1 when the role is not
ready or does not answer. What came of the last calls to the provider is told of too,
and leaves the role ready.`,
		Example: `  gorgone health
  gorgone health --alive
  gorgone health --address 127.0.0.1:8080   # gorgone web's own port answers too`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			at := cmp.Or(address, sh.cfg.Monitor.Listen)
			if at == "" {
				r, err := runfile.Read(sh.dataDir)
				if errors.Is(err, runfile.ErrNotRunning) {
					return failure.Usagef("no address to ask: %w; set GORGONE_METRICS_ADDR, or give --address or --data-dir", err)
				}
				if err != nil {
					return err
				}
				at = strings.TrimPrefix(r.WebURL, "http://")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			path := app.Ready
			if alive {
				path = app.Alive
			}
			failed, err := app.AskHealth(ctx, at, path)
			if err != nil {
				return err
			}
			var text strings.Builder
			text.WriteString("ok")
			for _, check := range failed {
				fmt.Fprintf(&text, "\n      %s (gorgone doctor says more)", check)
			}
			return sh.result(*asJSON, struct {
				OK     bool     `json:"ok"`
				Failed []string `json:"failed"` // of the last calls to the provider
			}{true, append([]string{}, failed...)}, "%s", text.String())
		},
	}
	asJSON = jsonFlag(cmd)
	cmd.Flags().StringVar(&address, "address", "", "host and port to ask (default: GORGONE_METRICS_ADDR, or a running gorgone up)")
	cmd.Flags().BoolVar(&alive, "alive", false, "ask only whether the process is alive, not whether it can work")
	cmd.Flags().DurationVar(&wait, "timeout", 5*time.Second, "how long to wait for the answer")
	return cmd
}
