package cli

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/cli/budgets"
	"gorgone/internal/cli/sources"
	"gorgone/internal/failure"
	"gorgone/store"
	"gorgone/store/pause"
	"gorgone/store/purchase"
	"gorgone/store/report"
	"gorgone/throttle"
	"gorgone/web/answers"
)

func newStats(sh *shell) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show the state of the schedule",
		Long: `Show how many tweets are tracked, due and claimed, how late they are, how fast
they are looked up, the depth of the queue, and the state of the provider: the rate
in force, the circuit breaker and the account balance.

The backlog is what is due and not claimed. Lateness is how long the longest
waiting tweet has been due.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := sh.readStats(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(sh.out).Encode(s)
			}
			sh.printStats(s)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// stats is the state of the schedule and of the queue, as JSON shows it.
type stats struct {
	Now time.Time `json:"now"` // engine time
	answers.Schedule

	ColdEstimated bool                      `json:"cold_estimated"`
	Queue         *answers.Depth            `json:"queue"` // null: it cannot be reached
	QueueFault    string                    `json:"queue_fault,omitempty"`
	PausedUntil   *time.Time                `json:"paused_until"`
	PauseReason   string                    `json:"pause_reason,omitempty"`
	Pauses        []answers.Pause           `json:"pauses"`
	Budgets       []answers.Budget          `json:"budgets"`
	Purchases     *answers.Purchases        `json:"purchases,omitempty"`           // on the adaptive schedule
	MostLooks     float64                   `json:"most_looks_per_hour,omitempty"` // that the rate of the key allows
	Providers     []throttle.ProviderStatus `json:"providers"`

	ClientKeys []sources.ClientKey `json:"client_keys"` // that clients brought of their own

	current   report.Stats
	pauses    []pause.Pause
	notices   []string // of budgets
	purchases purchase.Choices
}

func (sh *shell) readStats(ctx context.Context) (stats, error) {
	d, err := sh.openDatabase(ctx)
	if err != nil {
		return stats{}, err
	}
	defer d.Close()
	current, err := d.Report.Stats(ctx)
	if err != nil {
		return stats{}, err
	}
	s := stats{
		Now: current.At, Schedule: answers.ScheduleOf(current), ColdEstimated: current.ColdEstimated, current: current,
	}
	if s.pauses, err = d.Pauses.List(ctx); err != nil {
		return stats{}, err
	}
	s.Pauses = answers.PausesOf(s.pauses)
	spent, err := d.Store.Spending(ctx)
	if err != nil {
		return stats{}, err
	}
	s.Budgets, s.notices = answers.BudgetsOf(spent, true), budgets.Notices(spent)
	if d.Schedule == store.ScheduleAdaptive {
		if s.purchases, err = d.Store.Purchases(ctx); err != nil {
			return stats{}, err
		}
		p := answers.PurchasesOf(s.purchases)
		s.Purchases, s.MostLooks = &p, sh.mostLooks(d.Clock)
	}
	if err := sh.addQueueStats(ctx, d, &s); err != nil {
		s.QueueFault = err.Error()
	}
	return s, nil
}

func (sh *shell) addQueueStats(ctx context.Context, d *app.Database, s *stats) error {
	q, err := sh.openQueue(ctx)
	if err != nil {
		return err
	}
	defer q.Close()
	depth, err := q.Depth(ctx)
	if err != nil {
		return err
	}
	s.Queue = answers.DepthOf(depth)
	if sh.cfg.Provider.Key == "" {
		return nil
	}
	l, err := sh.openLookups(ctx, q, d.Clock)
	if err != nil {
		return err
	}
	defer l.Close()
	if stop, stopped := l.Shared.Stopped(); stopped {
		s.PausedUntil, s.PauseReason = answers.TimeOrNull(stop.Until), stop.Reason
	}
	if s.Providers, err = l.Shared.Status(ctx); err != nil {
		return err
	}
	s.ClientKeys, err = sh.clientKeys(ctx, q, d)
	return err
}

func (sh *shell) printStats(s stats) {
	sh.printf("tracked    %d", s.Total)
	for _, tier := range engagement.Tiers() {
		about := ""
		if tier == engagement.Cold && s.ColdEstimated {
			about = "about "
		}
		sh.printf("  %s %s%d", tier, about, s.current.Tier[tier])
	}
	sh.printf("\nbacklog    %d due, %d more claimed\n", s.NextBatchSize, s.Claimed)
	sh.printf("lateness   %s\n", s.current.Lateness().Round(time.Second))
	if next := s.current.NextDue; !next.IsZero() {
		sh.printf("next due   in %s\n", next.Sub(s.Now).Round(time.Second))
	}
	sh.printf("speed      %.1f tweets/s over the last minute\n", s.TweetsPerSecond)
	sh.printf("trouble    %d failing, %d missing, %d gone, %d parked, %d unusable\n", s.Failing, s.Missing, s.Gone, s.Parked, s.Unusable)
	if s.HeldSince != nil {
		sh.printf("HELD       no tweet is called deleted since %s: too many are missing at once\n", s.HeldSince.Format(time.DateTime))
	}
	if s.QueueFault != "" {
		sh.printf("queue      %s\n", s.QueueFault)
	}
	if q := s.Queue; q != nil {
		sh.printf("queue      batches %d waiting %d in hand, refreshes %d waiting %d in hand, %d dead letters\n",
			q.Batches.Waiting, q.Batches.InHand, q.Refreshes.Waiting, q.Refreshes.InHand, q.DeadLetters)
	}
	for _, p := range s.Providers {
		sh.printf("provider   %s\n", sources.Line(p))
	}
	for _, k := range s.ClientKeys {
		sh.printf("client key %s\n", k)
	}
	if s.Purchases != nil {
		budgets.PrintPurchases(sh.out, s.purchases, s.MostLooks)
	}
	for _, p := range s.pauses {
		sh.printf("PAUSED     %s\n", p)
	}
	for _, b := range s.notices {
		sh.printf("BUDGET     %s\n", b)
	}
	if s.PausedUntil != nil {
		sh.printf("paused     until %s: %s\n", s.PausedUntil.Format(time.DateTime), s.PauseReason)
	}
}

func newDue(sh *shell) *cobra.Command {
	var force, cold bool
	var zone, since string
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "due [ID ...]",
		Short: "Show what is due, or make tweets due now",
		Long: `Without --force, show how much is due. With it, make tweets due now: those
named by id, address or id of their row, those of a zone, those called deleted since a time, or all
that are still tracked. Back-offs are lifted; tweets that a worker holds are left alone.`,
		Example: `  gorgone due
  gorgone due --force --zone News
  gorgone due --force --cold 1585841080431321088
  gorgone due --force --gone-since 2026-11-28T06:00:00Z`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if !force && (len(args) > 0 || zone != "" || cold || since != "") {
				return failure.Usagef("ids, --zone, --cold and --gone-since go with --force")
			}
			filter := store.DueFilter{IncludeCold: cold}
			if since != "" {
				var err error
				if filter.GoneSince, err = time.Parse(time.RFC3339, since); err != nil {
					return failure.Usagef("--gone-since %q: want a time such as 2026-11-28T06:00:00Z", since)
				}
			}
			args, err := sh.tweetIDs(ctx, args)
			if err != nil {
				return err
			}
			d, err := sh.openDatabase(ctx)
			if err != nil {
				return err
			}
			defer d.Close()
			if !force {
				s, err := d.Report.Stats(ctx)
				if err != nil {
					return err
				}
				return sh.result(*asJSON, struct {
					Due      int     `json:"next_batch_size"`
					Claimed  int     `json:"claimed"`
					Lateness float64 `json:"lateness_seconds"`
				}{s.DueUnclaimed, s.DueClaimed, s.Lateness().Seconds()},
					"%d due and %d claimed, the oldest for %s", s.DueUnclaimed, s.DueClaimed, s.Lateness().Round(time.Second))
			}
			if len(args) > 0 {
				filter.TweetIDs = args
			}
			return sh.forceDue(ctx, d.Store, zone, filter, *asJSON)
		},
	}
	asJSON = jsonFlag(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "make tweets due now")
	cmd.Flags().BoolVar(&cold, "cold", false, "with --force: include tweets that are no longer looked up")
	cmd.Flags().StringVar(&zone, "zone", "", "with --force: id or name of a zone")
	cmd.Flags().StringVar(&since, "gone-since", "", "with --force: only tweets called deleted at this time (RFC 3339) or later")
	return cmd
}

func (sh *shell) forceDue(ctx context.Context, s *store.Store, zone string, filter store.DueFilter, asJSON bool) error {
	if zone != "" {
		z, err := zoneFor(ctx, s, zone, "")
		if err != nil {
			return err
		}
		filter.Zone = z.ID
	}
	n, err := s.ForceDue(ctx, filter)
	if err != nil {
		return err
	}
	err = sh.result(asJSON, struct {
		MadeDue int `json:"made_due"`
	}{n}, "%d rows are due now", n)
	if err != nil {
		return err
	}
	if n == 0 && len(filter.TweetIDs) > 0 {
		return failure.NotFoundf("none of the tweets is tracked and live; add --cold for those that are not looked at any more")
	}
	return nil
}
