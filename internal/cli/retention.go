package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/cli/terminal"
	"gorgone/internal/failure"
	"gorgone/store/history"
	"gorgone/web/answers"
)

func newRetention(sh *shell) *cobra.Command {
	var confirm bool
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "retention",
		Short: "Show what of the history would be removed, or agree to it",
		Long: `Show how long history is kept, and what is old enough to be removed now.

Where GORGONE_RETENTION is set, old history is removed as it says. Where it is not,
nothing is removed until --confirm, which is stored in the database, agrees to the
default; and history that was there before Gorgone is never removed by default.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := sh.locate(); err != nil {
				return err
			}
			if confirm {
				if err := sh.agree(cmd.Context()); err != nil {
					return err
				}
			}
			return sh.printRetention(cmd.Context(), *asJSON)
		},
	}
	asJSON = jsonFlag(cmd)
	cmd.Flags().BoolVar(&confirm, "confirm", false, "agree to the default on this database")
	return cmd
}

// printRetention says how long the history of the database is kept.
func (sh *shell) printRetention(ctx context.Context, asJSON bool) error {
	d, err := sh.process.OpenDatabase(ctx, sh.cfg)
	if err != nil {
		return err
	}
	defer d.Close()
	keep := app.KeepHistory(sh.cfg.Retention)
	cut, err := d.History.Preview(ctx, keep)
	if err != nil {
		return err
	}
	return sh.result(asJSON, struct {
		FullSeconds float64    `json:"full_seconds"` // 0: for ever
		Chosen      bool       `json:"chosen"`       // GORGONE_RETENTION is set
		Adopted     bool       `json:"adopted"`
		ConsentBy   string     `json:"consent_by,omitempty"`
		Removes     bool       `json:"removes"` // old points go, now or once there are some
		Points      int64      `json:"points"`  // old enough to go, about
		Before      *time.Time `json:"before"`  // null: none are
	}{keep.Full.Seconds(), keep.Chosen, cut.Adopted, cut.ConsentBy, keep.Full > 0 && cut.Allowed(keep), cut.Points, answers.TimeOrNull(cut.Before)}, "%s", retentionLine(keep, cut))
}

// agree stores that this person agrees to the default.
func (sh *shell) agree(ctx context.Context) error {
	if sh.cfg.Retention.Chosen {
		return nil
	}
	d, err := sh.process.OpenDatabase(ctx, sh.cfg)
	if err != nil {
		return err
	}
	defer d.Close()
	cut, err := d.History.Preview(ctx, app.KeepHistory(sh.cfg.Retention))
	if err != nil {
		return err
	}
	if cut.Adopted {
		return failure.Usagef("this history was there before Gorgone, and no default removes any of it: set GORGONE_RETENTION for every role to say how long it is kept")
	}
	return d.History.Consent(ctx, whoami())
}

// retentionLine says what is kept, and what goes or would go.
func retentionLine(keep history.Retention, cut history.Cut) string {
	if keep.Full <= 0 {
		return "history is kept for ever"
	}
	days := terminal.Duration(keep.Full)
	verb := "go"
	if cut.Waiting(keep) {
		verb = "would go"
	}
	old := "no point is old enough to go"
	if cut.Points > 0 || cut.Waiting(keep) {
		old = fmt.Sprintf("about %d points from before %s %s, the oldest from %s", cut.Points, cut.Before.Format(time.DateOnly), verb, cut.Oldest.Format(time.DateOnly))
	}
	switch {
	case keep.Chosen:
		return fmt.Sprintf("history is kept in full for %s, as GORGONE_RETENTION says; %s", days, old)
	case cut.Adopted:
		return fmt.Sprintf("history is kept for ever: it was there before Gorgone, and GORGONE_RETENTION is not set; if it were %s, %s", keep.Full, old)
	case cut.ConsentBy == "":
		return fmt.Sprintf("history is kept for ever until GORGONE_RETENTION is set, or gorgone retention --confirm agrees to %s; %s", days, old)
	}
	return fmt.Sprintf("history is kept in full for %s, as %s agreed on %s; %s", days, cut.ConsentBy, cut.ConsentAt.Format(time.DateOnly), old)
}
