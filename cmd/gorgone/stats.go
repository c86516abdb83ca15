package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

func newStats(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Show how the schedule is doing",
		Long: `Show what is tracked, what is due and how late it is, what is claimed and how
fast it is answered, what waits in the queue, and how the provider is doing: the
part of the rate in force after a rate limit, the circuit breaker, what is left of
the account.

Backlog is what is due and not claimed. Lateness is how long the tweet that has
waited longest has been due.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.readStats(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(s)
			}
			a.printStats(s)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// stats is the state of the schedule and of the queue, as JSON shows it.
type stats struct {
	At              time.Time               `json:"at"`
	Tracked         int                     `json:"tracked"`
	Tiers           map[engagement.Tier]int `json:"tiers"`
	ColdEstimated   bool                    `json:"cold_estimated"`
	Backlog         int                     `json:"backlog"`
	Claimed         int                     `json:"claimed"`
	LatenessSeconds float64                 `json:"lateness_seconds"`
	NextDue         time.Time               `json:"next_due,omitzero"`
	TweetsPerSecond float64                 `json:"tweets_per_second"`
	Failing         int                     `json:"failing"`
	Missing         int                     `json:"missing"`
	Gone            int                     `json:"gone"`
	Parked          int                     `json:"parked"`
	Queue           *queue.Depth            `json:"queue,omitempty"`
	QueueFault      string                  `json:"queue_fault,omitempty"`
	PausedUntil     time.Time               `json:"paused_until,omitzero"`
	PauseReason     string                  `json:"pause_reason,omitempty"`
	Pauses          []store.Pause           `json:"pauses,omitempty"`
	Purchases       *store.Purchases        `json:"purchases,omitempty"`           // on the adaptive schedule
	MostLooks       float64                 `json:"most_looks_per_hour,omitempty"` // that the rate of the key allows
	Providers       []queue.SourceStatus    `json:"providers,omitempty"`
}

func (a *app) readStats(ctx context.Context) (stats, error) {
	var open resources
	defer open.close()
	d, err := a.findDatabase(ctx, "stats", &open)
	if err != nil {
		return stats{}, err
	}
	current, err := d.store.Stats(ctx)
	if err != nil {
		return stats{}, err
	}
	s := newStatsOf(current)
	if s.Pauses, err = d.store.Pauses(ctx); err != nil {
		return stats{}, err
	}
	if store.Schedule(a.cfg.Schedule.Kind) == store.ScheduleAdaptive {
		p, err := d.store.Purchases(ctx)
		if err != nil {
			return stats{}, err
		}
		s.Purchases, s.MostLooks = &p, a.mostLooks(d.clock)
	}
	if err := a.addQueueStats(ctx, d, &s, &open); err != nil {
		s.QueueFault = err.Error()
	}
	return s, nil
}

func newStatsOf(s store.Stats) stats {
	return stats{
		At: s.At, Tracked: s.Total(), Tiers: s.Tier, ColdEstimated: s.ColdEstimated,
		Backlog: s.DueUnclaimed, Claimed: s.DueClaimed, LatenessSeconds: s.Lateness().Seconds(), NextDue: s.NextDue,
		TweetsPerSecond: s.Outstanding.DonePerSecond,
		Failing:         s.Failing, Missing: s.Missing, Gone: s.Gone, Parked: s.Parked,
	}
}

func (a *app) addQueueStats(ctx context.Context, d database, s *stats, open *resources) error {
	m, err := a.openQueue(ctx, "stats", open)
	if err != nil {
		return err
	}
	depth, err := m.queue.Depth(ctx)
	if err != nil {
		return err
	}
	s.Queue = &depth
	if a.cfg.Provider.Key == "" {
		return nil
	}
	l, err := a.openLookups(ctx, m, d.clock, open)
	if err != nil {
		return err
	}
	if stop, stopped := l.sources.Stopped(); stopped {
		s.PausedUntil, s.PauseReason = stop.Until, stop.Reason
	}
	s.Providers, err = l.sources.Status(ctx)
	return err
}

func (a *app) printStats(s stats) {
	a.printf("tracked    %d", s.Tracked)
	for _, tier := range engagement.Tiers() {
		about := ""
		if tier == engagement.Cold && s.ColdEstimated {
			about = "about "
		}
		a.printf("  %s %s%d", tier, about, s.Tiers[tier])
	}
	a.printf("\nbacklog    %d due, %d more claimed\n", s.Backlog, s.Claimed)
	a.printf("lateness   %s\n", time.Duration(s.LatenessSeconds*float64(time.Second)).Round(time.Second))
	if !s.NextDue.IsZero() {
		a.printf("next due   in %s\n", s.NextDue.Sub(s.At).Round(time.Second))
	}
	a.printf("speed      %.1f tweets/s over the last minute\n", s.TweetsPerSecond)
	a.printf("trouble    %d failing, %d missing, %d gone, %d parked\n", s.Failing, s.Missing, s.Gone, s.Parked)
	if s.QueueFault != "" {
		a.printf("queue      %s\n", s.QueueFault)
	}
	if q := s.Queue; q != nil {
		a.printf("queue      batches %d waiting %d in hand, refreshes %d waiting %d in hand, %d dead letters\n",
			q.Batch.Pending, q.Batch.AckPending, q.Refresh.Pending, q.Refresh.AckPending, q.DeadLetters)
	}
	for _, p := range s.Providers {
		a.printf("provider   %s\n", providerLine(p))
	}
	if s.Purchases != nil {
		printPurchases(a.out, *s.Purchases, s.MostLooks)
	}
	for _, p := range s.Pauses {
		a.printf("PAUSED     %s\n", p)
	}
	if !s.PausedUntil.IsZero() {
		a.printf("paused     until %s: %s\n", s.PausedUntil.Format(time.DateTime), s.PauseReason)
	}
}

func newDue(a *app) *cobra.Command {
	var force, cold bool
	var zone string
	cmd := &cobra.Command{
		Use:   "due [ID ...]",
		Short: "Show what is due, or make tweets due now",
		Long: `Without --force, show how much is due. With it, make tweets due now: those
named, those of a zone, or all that are still tracked. Back-offs are lifted; what
a worker holds already is left to it.`,
		Example: `  gorgone due
  gorgone due --force --zone News
  gorgone due --force --cold 1585841080431321088`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if !force && (len(args) > 0 || zone != "" || cold) {
				return usageError("ids, --zone and --cold go with --force")
			}
			for _, id := range args {
				if err := engagement.CheckTweetID(id); err != nil {
					return usageError("%w", err)
				}
			}
			var open resources
			defer open.close()
			d, err := a.findDatabase(ctx, "due", &open)
			if err != nil {
				return err
			}
			if !force {
				s, err := d.store.Stats(ctx)
				if err != nil {
					return err
				}
				a.printf("%d due and %d claimed, the oldest for %s\n", s.DueUnclaimed, s.DueClaimed, s.Lateness().Round(time.Second))
				return nil
			}
			filter := store.DueFilter{IncludeCold: cold}
			if len(args) > 0 {
				filter.TweetIDs = args
			}
			return a.forceDue(ctx, d.store, zone, filter)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "make tweets due now")
	cmd.Flags().BoolVar(&cold, "cold", false, "with --force: also tweets that are not looked at any more")
	cmd.Flags().StringVar(&zone, "zone", "", "with --force: id or name of a zone")
	return cmd
}

func (a *app) forceDue(ctx context.Context, s *store.Store, zone string, filter store.DueFilter) error {
	if zone != "" {
		zones, err := s.Zones(ctx)
		if err != nil {
			return err
		}
		z, err := findZone(zones, zone)
		if err != nil {
			return err
		}
		filter.Zone = z.ID
	}
	n, err := s.ForceDue(ctx, filter)
	if err != nil {
		return err
	}
	a.printf("%d rows are due now\n", n)
	if n == 0 && len(filter.TweetIDs) > 0 {
		return &exitError{exitNotFound, fmt.Errorf("none of the tweets is tracked and live; add --cold for those that are not looked at any more")}
	}
	return nil
}

// providerLine says in a line how a provider is doing.
func providerLine(p queue.SourceStatus) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, breaker %s", p.Provider, p.Breaker.State)
	if p.Breaker.State != queue.BreakerClosed {
		fmt.Fprintf(&b, " since %s: %s", p.Breaker.Since.Format(time.DateTime), p.Breaker.Reason)
	}
	if p.Breaker.NextCheck != nil {
		fmt.Fprintf(&b, ", next check %s", p.Breaker.NextCheck.Format(time.TimeOnly))
	}
	fmt.Fprintf(&b, ", %.3g of %g calls/s", p.Rate*p.Factor, p.Rate)
	if p.PausedUntil != nil {
		fmt.Fprintf(&b, " after %s", p.PausedUntil.Format(time.TimeOnly))
	}
	if p.Recovering {
		b.WriteString(", one call goes first")
	}
	if p.RateLimits > 0 {
		fmt.Fprintf(&b, ", rate limited %d times", p.RateLimits)
	}
	if p.Balance != nil {
		fmt.Fprintf(&b, ", %d %s left (%s)", p.Balance.Left, p.Balance.Unit, p.Balance.At.Format(time.DateTime))
	}
	return b.String()
}
