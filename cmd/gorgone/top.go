package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

const (
	// topStretch is what the rates shown are about, in real time.
	topStretch = 5 * time.Minute

	// topRollCall is how long processes may take to say that they are there.
	topRollCall = 500 * time.Millisecond
)

// What operators hold the figures against.
const (
	goalSuccess = 0.99
	goalErrors  = 0.01
	goalBatch   = 30 * time.Second
)

func newTop(a *app) *cobra.Command {
	var every time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch how everything is doing, in the terminal",
		Long: `Show the overview of the dashboard in the terminal, again and again: backlog,
lateness, throughput, tiers, success and error rate, batch latency, providers,
money, pauses, processes and dead letters. Ctrl-C ends it. Where the output is no
terminal it is shown once.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < time.Second || every > time.Hour {
				return usageError("--every %s: want 1s to 1h", every)
			}
			return a.top(cmd.Context(), every, once || !isTerminal(a.out))
		},
	}
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "time between two pictures (1s to 1h)")
	cmd.Flags().BoolVar(&once, "once", false, "show it once")
	return cmd
}

// scene is what top looks at.
type scene struct {
	database
	messaging
	lookups

	asks bool // there is a provider that is known here
}

func (a *app) top(ctx context.Context, every time.Duration, once bool) error {
	var open resources
	defer open.close()
	var s scene
	var err error
	if s.database, err = a.findDatabase(ctx, "top", &open); err != nil {
		return err
	}
	if s.messaging, err = a.openQueue(ctx, "top", &open); err != nil {
		return err
	}
	if s.asks = a.cfg.Provider.Key != ""; s.asks {
		if s.lookups, err = a.openLookups(ctx, s.messaging, s.clock, &open); err != nil {
			return err
		}
	}
	for {
		var picture bytes.Buffer
		err := s.draw(ctx, &picture)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			fmt.Fprintf(&picture, "not known now: %v\n", err)
		}
		if once {
			a.printf("%s", picture.String())
			return err
		}
		a.printf("\x1b[H\x1b[2J%s", picture.String())
		if sleep(ctx, every) != nil {
			return nil
		}
	}
}

// draw writes what is known; an error is about the first thing that is not.
func (s *scene) draw(ctx context.Context, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }() // the picture is in memory
	stats, err := s.store.Stats(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "time\t%s\n", stats.At.Format(time.DateTime))
	fmt.Fprintf(w, "backlog\t%d due, %d in work, lateness %s\n", stats.DueUnclaimed, stats.DueClaimed, stats.Lateness().Round(time.Second))
	fmt.Fprintf(w, "tiers\t%s\n", tierLine(stats.Tier))
	fmt.Fprintf(w, "speed\t%.1f tweets/s over the last minute\n", stats.Outstanding.DonePerSecond)
	if err := s.drawWork(ctx, w, stats); err != nil {
		return err
	}
	if err := s.drawMoney(ctx, w); err != nil {
		return err
	}
	return s.drawFleet(ctx, w)
}

func (s *scene) drawWork(ctx context.Context, w io.Writer, stats store.Stats) error {
	recent, err := s.store.Recent(ctx, stats.At.Add(-s.clock.Engine(topStretch)), 1)
	if err != nil {
		return err
	}
	mark := func(good bool) string {
		if good {
			return "ok"
		}
		return "BAD"
	}
	if all := recent.Found + recent.Missing + recent.Unresolved; all > 0 {
		success := float64(recent.Found+recent.Missing) / float64(all)
		fmt.Fprintf(w, "success\t%.2f%% of %d tweets in 5 min (want %.0f%%) %s\n", success*100, all, goalSuccess*100, mark(success >= goalSuccess))
	}
	if n := recent.Calls.Count; n > 0 {
		errors := float64(recent.Calls.Failed) / float64(n)
		fmt.Fprintf(w, "errors\t%.2f%% of %d calls (want under %.0f%%) %s\n", errors*100, n, goalErrors*100, mark(errors <= goalErrors))
	}
	if recent.Batches > 0 {
		p95 := s.clock.Real(recent.LatencyP95)
		fmt.Fprintf(w, "batches\t%d done, 95%% within %s (want %s) %s\n", recent.Batches, p95.Round(10*time.Millisecond), goalBatch, mark(p95 <= goalBatch))
	}
	fmt.Fprintf(w, "trouble\t%d failing, %d missing, %d parked\n", stats.Failing, stats.Missing, stats.Parked)
	return nil
}

func (s *scene) drawMoney(ctx context.Context, w io.Writer) error {
	spent, err := s.store.Spent(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "cost\t%.4f dollars today, %.4f this month, refreshes included\n", spent.Today+spent.RefreshToday, spent.Month+spent.RefreshMonth)
	if used := spent.Used(); spent.Budget.Day > 0 || spent.Budget.Month > 0 {
		warning := ""
		if used >= engagement.Sparing {
			warning = " RUNS OUT"
		}
		fmt.Fprintf(w, "budget\t%.0f%% used up%s\n", used*100, warning)
	}
	if s.asks {
		providers, err := s.sources.Status(ctx)
		if err != nil {
			return err
		}
		for _, p := range providers {
			fmt.Fprintf(w, "provider\t%s\n", providerLine(p))
		}
	}
	pauses, err := s.store.Pauses(ctx)
	if err != nil {
		return err
	}
	for _, p := range pauses {
		fmt.Fprintf(w, "PAUSED\t%s\n", p)
	}
	return nil
}

func (s *scene) drawFleet(ctx context.Context, w io.Writer) error {
	depth, err := s.queue.Depth(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "queue\tbatches %d waiting %d in hand, refreshes %d waiting %d in hand, %d dead letters\n",
		depth.Batch.Pending, depth.Batch.AckPending, depth.Refresh.Pending, depth.Refresh.AckPending, depth.DeadLetters)
	present, err := s.queue.RollCall(ctx, topRollCall)
	if err != nil {
		return err
	}
	for _, r := range present {
		fmt.Fprintf(w, "process\t%s\n", replicaLine(r, s.clock.Database()))
	}
	return nil
}

func replicaLine(r queue.Replica, now time.Time) string {
	return fmt.Sprintf("%v on %s, %s, up %s, %d in work, %d done", r.Roles, r.Host, r.Version, now.Sub(r.Since).Round(time.Second), r.InWork, r.Done)
}
