package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/internal/failure"
	"gorgone/qstash"
)

// scheduleID is the id of our schedule unless told otherwise.
const scheduleID = "gorgone-engagement-update"

// usualLimit is how many tweets a dispatch of the schedule takes unless told otherwise.
const usualLimit = 1000

// usualSchedule is the schedule unless told otherwise.
func usualSchedule() qstash.Schedule {
	return qstash.Schedule{ID: scheduleID, Cron: "*/10 * * * *", Retries: 1, Timeout: time.Minute}
}

const triggerPath = "/api/twitter/engagement/update"

func newQStash(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "qstash",
		Short: "Manage the Upstash QStash schedule that triggers dispatches",
		Long: `Manage the Upstash QStash schedule that triggers gorgone web. It is only needed
where no gorgone dispatcher runs.

Needs QSTASH_TOKEN, and GORGONE_WEB_PUBLIC_URL as the address to call.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var id string
	cmd.PersistentFlags().StringVar(&id, "id", scheduleID, "id of the schedule")
	cmd.AddCommand(newQStashSync(sh, &id), newQStashList(sh), newQStashSwitch(sh, &id, "pause", "Pause the schedule"),
		newQStashSwitch(sh, &id, "resume", "Resume a paused schedule"))
	return cmd
}

func (sh *shell) openQStash() (*qstash.Client, error) {
	c, err := qstash.New(sh.cfg.QStash.URL, string(sh.cfg.QStash.Token))
	if err != nil {
		return nil, failure.Usagef("%w", err)
	}
	return c, nil
}

// qstashLine is a schedule as it is printed.
type qstashLine struct {
	ID          string `json:"id"`
	Cron        string `json:"cron"`
	Destination string `json:"destination"`
	Paused      bool   `json:"paused"`
}

func scheduleLine(s qstash.Schedule) qstashLine {
	return qstashLine{s.ID, s.Cron, s.Destination, s.Paused}
}

func newQStashSync(sh *shell, id *string) *cobra.Command {
	var cron string
	var limit, retries int
	var timeout time.Duration
	var asJSON *bool
	cmd := &cobra.Command{
		Use:     "sync",
		Short:   "Create or update the schedule",
		Example: `  gorgone qstash sync --cron "*/5 * * * *" --limit 1000`,
		Args:    exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sh.putSchedule(cmd.Context(), qstash.Schedule{ID: *id, Cron: cron, Retries: retries, Timeout: timeout}, limit, *asJSON)
		},
	}
	f, usual := cmd.Flags(), usualSchedule()
	f.StringVar(&cron, "cron", usual.Cron, "cron expression, in UTC")
	f.IntVar(&limit, "limit", usualLimit, "maximum number of tweets per dispatch (1 to 10000)")
	f.IntVar(&retries, "retries", usual.Retries, "retries after a failed delivery (0 to 5)")
	f.DurationVar(&timeout, "timeout", usual.Timeout, "time a delivery may take")
	asJSON = jsonFlag(cmd)
	return cmd
}

// putSchedule creates or updates a schedule that triggers dispatches of up to limit tweets.
func (sh *shell) putSchedule(ctx context.Context, s qstash.Schedule, limit int, asJSON bool) error {
	if sh.cfg.Web.PublicURL == "" {
		return failure.Usagef("GORGONE_WEB_PUBLIC_URL is not set: what should QStash call?")
	}
	if limit < 1 || limit > 10_000 {
		return failure.Usagef("--limit %d: want 1 to 10000", limit)
	}
	c, err := sh.openQStash()
	if err != nil {
		return err
	}
	s.Destination = strings.TrimRight(sh.cfg.Web.PublicURL, "/") + triggerPath
	s.Body = fmt.Sprintf(`{"limit":%d}`, limit)
	if err := c.Put(ctx, s); err != nil {
		return err
	}
	return sh.result(asJSON, scheduleLine(s), "schedule %s calls %s at %s", s.ID, s.Destination, s.Cron)
}

func newQStashList(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all schedules of the account",
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sh.openQStash()
			if err != nil {
				return err
			}
			list, err := c.List(cmd.Context())
			if err != nil {
				return err
			}
			if *asJSON {
				lines := make([]qstashLine, len(list))
				for i, s := range list {
					lines[i] = scheduleLine(s)
				}
				return sh.result(true, lines, "")
			}
			w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', 0)
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
	asJSON = jsonFlag(cmd)
	return cmd
}

func newQStashSwitch(sh *shell, id *string, action, short string) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   action,
		Short: short,
		Args:  exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := sh.openQStash()
			if err != nil {
				return err
			}
			do := c.Pause
			if action == "resume" {
				do = c.Resume
			}
			err = do(cmd.Context(), *id)
			if errors.Is(err, qstash.ErrNotFound) {
				return failure.NotFoundf("%w; create it with gorgone qstash sync", err)
			}
			if err != nil {
				return err
			}
			return sh.result(*asJSON, struct {
				ID     string `json:"id"`
				Paused bool   `json:"paused"`
			}{*id, action == "pause"}, "schedule %s: %sd", *id, action)
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}
