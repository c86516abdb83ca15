package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gorgone/store"
)

func newPause(a *app) *cobra.Command {
	var until, reason string
	cmd := &cobra.Command{
		Use:   "pause [batches|refreshes]",
		Short: "Stop look-ups everywhere",
		Long: `Stop what the schedule looks up (batches), what people ask for (refreshes), or
both, in all processes within about a second. Nothing is lost: what is due waits in
Postgres, and a refresh is answered with the reason. It is kept in Postgres and
survives restarts of everything, until gorgone resume, or the time of --until.`,
		Example: `  gorgone pause batches --until 30m --reason "the bill is being looked at"
  gorgone pause --until 2026-12-01T08:00:00Z
  gorgone pause`,
		Args: atMostOneLane,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onLanes(cmd.Context(), args, func(ctx context.Context, s database, lane store.PauseLane) error {
				end, err := parseUntil(until, s.clock.Now())
				if err != nil {
					return err
				}
				p := store.Pause{Lane: lane, Until: end, Reason: reason, By: whoami()}
				if err := s.store.SetPause(ctx, p); err != nil {
					return err
				}
				a.printf("%s\n", p)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "when to go on by itself: a time such as 2026-12-01T08:00:00Z, or from now on such as 30m")
	cmd.Flags().StringVar(&reason, "reason", "", "why, for those who wonder")
	return cmd
}

func newResume(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "resume [batches|refreshes]",
		Short: "Go on with look-ups after gorgone pause",
		Args:  atMostOneLane,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onLanes(cmd.Context(), args, func(ctx context.Context, s database, lane store.PauseLane) error {
				was, err := s.store.Resume(ctx, lane)
				if err != nil {
					return err
				}
				if was {
					a.printf("%s go on\n", lane)
				} else {
					a.printf("%s were not paused\n", lane)
				}
				return nil
			})
		},
	}
}

func atMostOneLane(cmd *cobra.Command, args []string) error {
	if len(args) > 1 || len(args) == 1 && !slices.Contains(store.PauseLanes(), store.PauseLane(args[0])) {
		return usageError("%s takes batches, refreshes or nothing for both: %s", cmd.CommandPath(), cmd.UseLine())
	}
	return nil
}

// onLanes does something to the lane that is named, or to all.
func (a *app) onLanes(ctx context.Context, args []string, do func(context.Context, database, store.PauseLane) error) error {
	var open resources
	defer open.close()
	d, err := a.findDatabase(ctx, "pause", &open)
	if err != nil {
		return err
	}
	for _, lane := range store.PauseLanes() {
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
		return time.Time{}, usageError("--until %q: want a time such as 2026-12-01T08:00:00Z, or a duration such as 30m", text)
	}
	if !end.After(now) {
		return time.Time{}, usageError("--until %s is over: now is %s", text, now.Format(time.RFC3339))
	}
	return end, nil
}

// whoami names the person for those who see the pause.
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
