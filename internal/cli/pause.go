package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/failure"
	"gorgone/store/pause"
	"gorgone/web/answers"
)

func newPause(sh *shell) *cobra.Command {
	var until, reason string
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "pause [batches|refreshes]",
		Short: "Stop look-ups everywhere",
		Long: `Stop scheduled look-ups (batches), look-ups that people ask for (refreshes), or
both, in all processes within about a second. Nothing is lost: due tweets wait in
Postgres, and a refresh is answered with the reason. A pause is stored in Postgres
and lasts, across restarts, until gorgone resume or the time given by --until.`,
		Example: `  gorgone pause batches --until 30m --reason "the bill is being looked at"
  gorgone pause --until 2026-12-01T08:00:00Z
  gorgone pause`,
		Args: atMostOneLane,
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.onLanes(cmd.Context(), args, func(ctx context.Context, s *app.Database, lane pause.Lane) error {
				end, err := parseUntil(until, s.Clock.Now())
				if err != nil {
					return err
				}
				p := pause.Pause{Lane: lane, Until: end, Reason: reason, By: whoami()}
				if err := s.Pauses.Set(ctx, p); err != nil {
					return err
				}
				return sh.result(*asJSON, struct {
					Lane   pause.Lane `json:"lane"`
					Until  *time.Time `json:"until"` // null: until it is resumed
					Reason string     `json:"reason"`
					By     string     `json:"by"`
				}{p.Lane, answers.TimeOrNull(p.Until), p.Reason, p.By}, "%s", p)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	cmd.Flags().StringVar(&until, "until", "", "when the pause ends: a time such as 2026-12-01T08:00:00Z, or a duration such as 30m")
	cmd.Flags().StringVar(&reason, "reason", "", "reason, shown to others")
	return cmd
}

func newResume(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "resume [batches|refreshes]",
		Short: "Resume look-ups after gorgone pause",
		Args:  atMostOneLane,
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.onLanes(cmd.Context(), args, func(ctx context.Context, s *app.Database, lane pause.Lane) error {
				was, err := s.Pauses.Resume(ctx, lane)
				if err != nil {
					return err
				}
				text := "were not paused"
				if was {
					text = "go on"
				}
				return sh.result(*asJSON, struct {
					Lane      pause.Lane `json:"lane"`
					WasPaused bool       `json:"was_paused"`
				}{lane, was}, "%s %s", lane, text)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

func atMostOneLane(cmd *cobra.Command, args []string) error {
	if len(args) > 1 || len(args) == 1 && !slices.Contains(pause.Lanes(), pause.Lane(args[0])) {
		return failure.Usagef("%s takes batches, refreshes or nothing for both: %s", cmd.CommandPath(), cmd.UseLine())
	}
	return nil
}

// onLanes does something to the lane that is named, or to all.
func (sh *shell) onLanes(ctx context.Context, args []string, do func(context.Context, *app.Database, pause.Lane) error) error {
	d, err := sh.openDatabase(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, lane := range pause.Lanes() {
		if len(args) == 0 || string(lane) == args[0] {
			if err := do(ctx, d, lane); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseUntil reads a time, or a duration from now on. Nothing is no end.
func parseUntil(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	end, err := time.Parse(time.RFC3339, text)
	if d, e := time.ParseDuration(text); e == nil {
		end, err = now.Add(d), nil
	}
	if err != nil {
		return time.Time{}, failure.Usagef("--until %q: want a time such as 2026-12-01T08:00:00Z, or a duration such as 30m", text)
	}
	if !end.After(now) {
		return time.Time{}, failure.Usagef("--until %s has passed: it is %s", text, now.Format(time.RFC3339))
	}
	return end, nil
}

// whoami names the person to those who see the pause.
func whoami() string {
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("%s@%s", cmp.Or(name, "?"), host)
}
