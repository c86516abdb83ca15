package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/qstash"
)

// scheduleID is the id of our schedule unless told otherwise.
const scheduleID = "gorgone-engagement-update"

const triggerPath = "/api/twitter/engagement/update"

func newQStash(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "qstash",
		Short: "Keep the schedule at Upstash QStash that triggers dispatches",
		Long: `Keep the schedule at Upstash QStash by which gorgone web is triggered. It is only
needed where no gorgone dispatcher runs, which dispatches every few seconds by
itself.

Needs QSTASH_TOKEN, and GORGONE_WEB_PUBLIC_URL as the address that is called.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var id string
	cmd.PersistentFlags().StringVar(&id, "id", scheduleID, "id of the schedule")
	cmd.AddCommand(newQStashSync(a, &id), newQStashList(a), newQStashSwitch(a, &id, "pause", "Stop the schedule for now"),
		newQStashSwitch(a, &id, "resume", "Let a paused schedule run again"))
	return cmd
}

func (a *app) openQStash() (*qstash.Client, error) {
	c, err := qstash.New(a.cfg.QStash.URL, string(a.cfg.QStash.Token))
	if err != nil {
		return nil, usageError("%w", err)
	}
	return c, nil
}

func newQStashSync(a *app, id *string) *cobra.Command {
	var cron string
	var limit, retries int
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:     "sync",
		Short:   "Make the schedule, or change it to what is asked for",
		Example: `  gorgone qstash sync --cron "*/5 * * * *" --limit 1000`,
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.cfg.Web.PublicURL == "" {
				return usageError("GORGONE_WEB_PUBLIC_URL is not set: what should QStash call?")
			}
			if limit < 1 || limit > 10_000 {
				return usageError("--limit %d: want 1 to 10000", limit)
			}
			c, err := a.openQStash()
			if err != nil {
				return err
			}
			s := qstash.Schedule{
				ID: *id, Cron: cron, Destination: strings.TrimRight(a.cfg.Web.PublicURL, "/") + triggerPath,
				Body: fmt.Sprintf(`{"limit":%d}`, limit), Retries: retries, Timeout: timeout,
			}
			if err := c.Put(cmd.Context(), s); err != nil {
				return err
			}
			a.printf("schedule %s calls %s at %s\n", s.ID, s.Destination, s.Cron)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&cron, "cron", "*/10 * * * *", "when, in UTC")
	f.IntVar(&limit, "limit", 1000, "tweets a dispatch takes at most (1 to 10000)")
	f.IntVar(&retries, "retries", 1, "deliveries after one that failed (0 to 5); the next tick comes anyway")
	f.DurationVar(&timeout, "timeout", time.Minute, "time that a delivery may take")
	return cmd
}

func newQStashList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all schedules of the account",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.openQStash()
			if err != nil {
				return err
			}
			list, err := c.List(cmd.Context())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "id\tcron\tdestination\tstate")
			for _, s := range list {
				state := "running"
				if s.Paused {
					state = "paused"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.ID, s.Cron, s.Destination, state)
			}
			return w.Flush()
		},
	}
}

func newQStashSwitch(a *app, id *string, action, short string) *cobra.Command {
	return &cobra.Command{
		Use:   action,
		Short: short,
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.openQStash()
			if err != nil {
				return err
			}
			do := c.Pause
			if action == "resume" {
				do = c.Resume
			}
			err = do(cmd.Context(), *id)
			if errors.Is(err, qstash.ErrNotFound) {
				return &exitError{exitNotFound, fmt.Errorf("%w; gorgone qstash sync makes it", err)}
			}
			if err != nil {
				return err
			}
			a.printf("schedule %s: %sd\n", *id, action)
			return nil
		},
	}
}
