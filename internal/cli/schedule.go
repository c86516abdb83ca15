package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"gorgone/internal/app"
	"gorgone/internal/failure"
	"gorgone/internal/simulate"
	"gorgone/store/trial"
)

func newSchedule(sh *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Try the adaptive schedule beside the tiers",
		Long: `Try the adaptive schedule on a random half of the tweets that a zone gets, for as
many look-ups a tweet as the tiers make, and compare what both halves showed.
docs/scheduling.md explains the figures.`,
		Example: `  gorgone schedule try News
  gorgone schedule status
  gorgone schedule stop News`,
	}
	cmd.AddCommand(newScheduleTry(sh), newScheduleStatus(sh), newScheduleStop(sh))
	return cmd
}

func newScheduleTry(sh *shell) *cobra.Command {
	var length time.Duration
	var force bool
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "try ZONE",
		Short: "Start a trial in a zone",
		Long: `Start a trial in a zone (id or name), with the tweets that are posted from a minute
later on. A random half of them goes by the adaptive schedule, whose price is moved
so that a tweet gets as many look-ups as with the tiers; the others stay on the
tiers. Both halves get one more look-up at the age of 48 hours, by which they are
measured. After --for the zone is back on the tiers, and the report stays.

First the zone's history is replayed, as "gorgone-lab simulate --history" does. When
it shows no gain, or too few tweets were followed for 12 hours, nothing is
started; --force starts the trial anyway.`,
		Example: `  gorgone schedule try News
  gorgone schedule try News --for 336h --force`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if length < trial.MinLength || length > trial.MaxLength {
				return failure.Usagef("--for %s: want %s to %s", length, trial.MinLength, trial.MaxLength)
			}
			return sh.withZone(cmd, args[0], func(d *app.Database, zone uuid.UUID) error {
				return sh.tryAdaptive(cmd.Context(), d, trial.Start{Zone: zone, Length: length, By: whoami(), Forced: force}, *asJSON)
			})
		},
	}
	cmd.Flags().DurationVar(&length, "for", trial.DefaultLength, "how long the trial lasts, in engine time (72h to 672h)")
	cmd.Flags().BoolVar(&force, "force", false, "start it also where the history shows no gain")
	asJSON = jsonFlag(cmd)
	return cmd
}

// withZone runs f with the database and the zone that is named.
func (sh *shell) withZone(cmd *cobra.Command, name string, f func(*app.Database, uuid.UUID) error) error {
	return sh.withStore(cmd, func(d *app.Database) error {
		zone, err := zoneID(cmd, d.Store, name)
		if err != nil {
			return err
		}
		return f(d, zone)
	})
}

func (sh *shell) tryAdaptive(ctx context.Context, d *app.Database, start trial.Start, asJSON bool) error {
	gain, err := d.Trials.Evidence(ctx, start.Zone)
	if err != nil {
		return err
	}
	finding := fmt.Sprintf("%d tweets of the zone's history were followed for 12 hours, and %d are needed", 2*gain.Tweets, 2*simulate.MinTweets)
	if gain.Tweets >= simulate.MinTweets {
		finding = "on the zone's history, the adaptive schedule has " + ratio(&gain.Delay) + " of the tiers' delay for as many look-ups"
	}
	if !asJSON {
		sh.printf("%s\n", finding)
	}
	if !gain.Shown() && !start.Forced {
		return failure.Usagef("nothing was started: the history shows no gain beyond chance. To try it anyway: gorgone schedule try --force")
	}
	start.Price = gain.Price
	start.Forced = !gain.Shown()
	t, err := d.Trials.Start(ctx, start)
	switch {
	case errors.Is(err, trial.ErrRunning):
		return failure.Usagef("%w; gorgone schedule stop ends it", err)
	case errors.Is(err, trial.ErrAdaptive):
		return failure.Usagef("%w: there are no tiers to compare it with", err)
	case err != nil:
		return err
	}
	return sh.result(asJSON, t, "%s\nfirst figures 48 hours after that: gorgone schedule status", trialLine(t, d.Clock.Now()))
}

func newScheduleStatus(sh *shell) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status [ZONE]",
		Short: "Show how trials stand, or what came of them",
		Long: `Show the latest trial of each zone, or of one. A running trial is measured every
hour, on tweets that are 48 hours old. Brackets are 95% intervals over tweets;
ratios below 1 are better.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return failure.Usagef("%s takes one zone, or none for all: %s", cmd.CommandPath(), cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withStore(cmd, func(d *app.Database) error {
				var zones []uuid.UUID
				if len(args) > 0 {
					zone, err := zoneID(cmd, d.Store, args[0])
					if err != nil {
						return err
					}
					zones = []uuid.UUID{zone}
				}
				list, err := d.Trials.List(cmd.Context(), zones)
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(sh.out).Encode(list)
				}
				if len(list) == 0 {
					sh.printf("no trial was started\n")
				}
				for _, t := range list {
					if err := showTrial(sh.out, t, d.Clock.Now()); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newScheduleStop(sh *shell) *cobra.Command {
	var asJSON *bool
	cmd := &cobra.Command{
		Use:   "stop ZONE",
		Short: "Stop the trial of a zone",
		Long: `Stop the running trial of a zone (id or name): all its tweets go on by the tiers.
What was measured until then stays.`,
		Args: exactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return sh.withZone(cmd, args[0], func(d *app.Database, zone uuid.UUID) error {
				was, err := d.Trials.Stop(cmd.Context(), zone)
				if err != nil {
					return err
				}
				text := "no trial was running"
				if was {
					text = "the trial is stopped"
				}
				return sh.result(*asJSON, struct {
					ZoneID  uuid.UUID `json:"zone_id"`
					Stopped bool      `json:"stopped"`
				}{zone, was}, "%s", text)
			})
		},
	}
	asJSON = jsonFlag(cmd)
	return cmd
}

// trialLine says in a line what a trial is.
func trialLine(t trial.Trial, now time.Time) string {
	state := "running until"
	switch {
	case t.Stopped:
		state = "stopped"
	case !t.Running(now):
		state = "ended"
	}
	line := fmt.Sprintf("zone %s: trial of tweets posted from %s on, %s %s", t.ZoneName, t.StartsAt.Format(time.DateTime), state, t.EndsAt.Format(time.DateTime))
	if t.By != "" {
		line += ", by " + t.By
	}
	if t.Forced {
		line += ", without a gain in the history"
	}
	return line
}

func showTrial(out io.Writer, t trial.Trial, now time.Time) error {
	fmt.Fprintln(out, trialLine(t, now))
	r := t.Report
	if r == nil {
		fmt.Fprintln(out, "  nothing is measured yet")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\ttiers\tadaptive\tadaptive over tiers\t\n")
	fmt.Fprintf(w, "tweets\t%d\t%d\t\t\n", r.Posted.Tiers, r.Posted.Adaptive)
	fmt.Fprintf(w, "measured (48 h old)\t%d of %d\t%d of %d\t\t\n", r.Tiers.Tweets, r.Complete.Tiers, r.Adaptive.Tweets, r.Complete.Adaptive)
	for _, row := range []struct {
		name       string
		a, b, over *simulate.Estimate
	}{
		{name: "look-ups a tweet", a: r.Tiers.Lookups, b: r.Adaptive.Lookups, over: r.Over.Lookups},
		{name: "dollars, thousand tweets", a: r.Tiers.Dollars, b: r.Adaptive.Dollars},
		{name: "delay up to 12 h, min", a: r.Tiers.Delay12, b: r.Adaptive.Delay12, over: r.Over.Delay12},
		{name: "delay up to 48 h, min", a: r.Tiers.Delay48, b: r.Adaptive.Delay48, over: r.Over.Delay48},
		{name: "staleness up to 12 h", a: r.Tiers.Stale12, b: r.Adaptive.Stale12, over: r.Over.Stale12},
		{name: "staleness up to 48 h", a: r.Tiers.Stale48, b: r.Adaptive.Stale48, over: r.Over.Stale48},
		{name: "take-offs seen after, min", a: r.Tiers.TakeOff48, b: r.Adaptive.TakeOff48, over: r.Over.TakeOff48},
	} {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t\n", row.name, ratio(row.a), ratio(row.b), ratio(row.over))
	}
	fmt.Fprintf(w, "take-offs\t%d\t%d\t\t\n", r.Tiers.TakeOffs, r.Adaptive.TakeOffs)
	return w.Flush()
}

// ratio shows a figure with its interval.
func ratio(e *simulate.Estimate) string {
	if e == nil {
		return "-"
	}
	return fmt.Sprintf("%.3g [%.3g, %.3g]", e.Value, e.Low, e.High)
}
