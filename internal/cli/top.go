package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/cli/budgets"
	"gorgone/internal/cli/sources"
	"gorgone/internal/devstack"
	"gorgone/internal/failure"
	"gorgone/queue"
	"gorgone/store/report"
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

func newTop(sh *shell) *cobra.Command {
	var every time.Duration
	var once bool
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch the overview in the terminal",
		Long: `Show the overview of the dashboard in the terminal and keep it current: backlog,
lateness, throughput, tiers, success and error rate, batch latency, providers,
cost, pauses, processes and dead letters. Ctrl-C ends it. When the output is not a
terminal it is shown once.

With --json, print what "gorgone stats --json" does instead, a line each time.`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < time.Second || every > time.Hour {
				return failure.Usagef("--every %s: want 1s to 1h", every)
			}
			if once = once || !app.IsTerminal(sh.out); *asJSON {
				return sh.topJSON(cmd.Context(), every, once)
			}
			return sh.top(cmd.Context(), every, once)
		},
	}
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "refresh interval (1s to 1h)")
	cmd.Flags().BoolVar(&once, "once", false, "show the overview once and exit")
	asJSON = jsonFlag(cmd)
	return cmd
}

// topJSON prints the state of the schedule and of the queue until ctx ends, or once.
func (sh *shell) topJSON(ctx context.Context, every time.Duration, once bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		s, err := sh.readStats(ctx)
		if err == nil {
			err = json.NewEncoder(sh.out).Encode(s)
		}
		if err != nil || once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// scene is what top shows.
type scene struct {
	db      *app.Database
	queue   *app.Queue
	lookups *app.Lookups // nil: no provider is known here
}

func (sh *shell) top(ctx context.Context, every time.Duration, once bool) error {
	var s scene
	var err error
	if s.db, err = sh.openDatabase(ctx); err != nil {
		return err
	}
	defer s.db.Close()
	if s.queue, err = sh.openQueue(ctx); err != nil {
		return err
	}
	defer s.queue.Close()
	if sh.cfg.Provider.Key != "" {
		if s.lookups, err = sh.openLookups(ctx, s.queue, s.db.Clock); err != nil {
			return err
		}
		defer s.lookups.Close()
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
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
			sh.printf("%s", picture.String())
			return err
		}
		sh.printf("\x1b[H\x1b[2J%s", picture.String())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// draw writes what is known; an error is about the first thing that is not.
func (s *scene) draw(ctx context.Context, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }() // the picture is in memory
	stats, err := s.db.Report.Stats(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "time\t%s\n", stats.At.Format(time.DateTime))
	fmt.Fprintf(w, "backlog\t%d due, %d in work, lateness %s\n", stats.DueUnclaimed, stats.DueClaimed, stats.Lateness().Round(time.Second))
	fmt.Fprintf(w, "tiers\t%s\n", devstack.TierLine(stats.Tier))
	fmt.Fprintf(w, "speed\t%.1f tweets/s over the last minute\n", stats.Outstanding.DonePerSecond)
	if err := s.drawWork(ctx, w, stats); err != nil {
		return err
	}
	if err := s.drawMoney(ctx, w); err != nil {
		return err
	}
	return s.drawFleet(ctx, w)
}

func (s *scene) drawWork(ctx context.Context, w io.Writer, stats report.Stats) error {
	recent, err := s.db.Report.Recent(ctx, stats.At.Add(-s.db.Clock.Engine(topStretch)), 1)
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
		p95 := s.db.Clock.Real(recent.LatencyP95)
		fmt.Fprintf(w, "batches\t%d done, 95%% within %s (want %s) %s\n", recent.Batches, p95.Round(10*time.Millisecond), goalBatch, mark(p95 <= goalBatch))
	}
	fmt.Fprintf(w, "trouble\t%d failing, %d missing, %d parked\n", stats.Failing, stats.Missing, stats.Parked)
	return nil
}

func (s *scene) drawMoney(ctx context.Context, w io.Writer) error {
	spent, err := s.db.Store.Spending(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "cost\t%.4f dollars today, %.4f this month, refreshes included\n", spent.Today+spent.RefreshToday, spent.Month+spent.RefreshMonth)
	if used := spent.Used(); spent.Budget.Day > 0 || spent.Budget.Month > 0 {
		warning := ""
		if used >= engagement.LowBudget {
			warning = " RUNS OUT"
		}
		fmt.Fprintf(w, "budget\t%.0f%% used up%s\n", used*100, warning)
	}
	if s.lookups != nil {
		providers, err := s.lookups.Shared.Status(ctx)
		if err != nil {
			return err
		}
		for _, p := range providers {
			fmt.Fprintf(w, "provider\t%s\n", sources.Line(p))
		}
	}
	pauses, err := s.db.Pauses.List(ctx)
	if err != nil {
		return err
	}
	for _, p := range pauses {
		fmt.Fprintf(w, "PAUSED\t%s\n", p)
	}
	for _, b := range budgets.Notices(spent) {
		fmt.Fprintf(w, "BUDGET\t%s\n", b)
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
	present, err := s.queue.Replicas(ctx, topRollCall)
	if err != nil {
		return err
	}
	for _, r := range present {
		fmt.Fprintf(w, "process\t%s\n", replicaLine(r, s.db.Clock.Database()))
	}
	return nil
}

func replicaLine(r queue.Replica, now time.Time) string {
	return fmt.Sprintf("%v on %s, %s, up %s, %d in work, %d done", r.Roles, r.Host, r.Version, now.Sub(r.Since).Round(time.Second), r.InWork, r.Done)
}
