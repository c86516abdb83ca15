package lab

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/failure"
	"gorgone/internal/simulate"
)

// signalled are the flags of the command signals.
type signalled struct {
	simulation

	recalls []float64
	budgets []float64
	horizon time.Duration
}

func newSignals(sh *shell) *cobra.Command {
	var o signalled
	cmd := &cobra.Command{
		Use:   "signals",
		Short: "Measure what tweets that come by themselves save",
		Long: `Replay tweets through the adaptive schedule while a share of their engagements,
the recall, comes by itself: as quotes, which carry the counts of the tweet and are
a free look at it, or as replies, which only bring its next look forward.

For each recall and number of paid looks a tweet without signals (--looks), it says
what share of these looks gives the same delay with them. "none needed" means that
the delay is shorter with the fewest looks that the schedule makes at any price.
Intervals are 95%, over parents of tweets.`,
		Example: `  gorgone-lab signals
  gorgone-lab signals --cascades cascades.tsv.gz --population thinned --population cascades`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return sh.signals(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.populationFlags(cmd, "seed of the split, of thinning and of the intervals")
	f.IntVar(&o.samples, "samples", simulate.Bootstraps, "bootstrap samples of the intervals")
	f.DurationVar(&o.horizon, "horizon", simulate.Horizon12, "age up to which tweets are followed")
	f.Float64SliceVar(&o.recalls, "recall", []float64{0.1, 0.2, 0.3, 0.5}, "shares of the engagements that come by themselves")
	f.Float64SliceVar(&o.budgets, "looks", []float64{5, 19}, "paid looks a tweet without signals")
	return cmd
}

func (sh *shell) signals(ctx context.Context, o signalled) error {
	if slices.ContainsFunc(o.recalls, func(r float64) bool { return !(r > 0 && r <= 1) }) {
		return failure.Usagef("--recall %v: want more than 0, to 1", o.recalls)
	}
	if slices.ContainsFunc(o.budgets, func(b float64) bool { return !(b >= 1 && b <= 100) }) {
		return failure.Usagef("--looks %v: want 1 to 100", o.budgets)
	}
	if o.horizon < time.Hour || o.horizon > 7*24*time.Hour {
		return failure.Usagef("--horizon %s: want 1h to 168h", o.horizon)
	}
	if o.tweets < 40 || o.samples < 1 || o.perParent < 0 || o.perParent%2 != 0 {
		return failure.Usagef("--tweets %d --samples %d --per-parent %d: want 40 tweets or more, a sample or more, an even number per parent", o.tweets, o.samples, o.perParent)
	}
	populations, err := sh.populations(ctx, o.simulation)
	if err != nil {
		return err
	}
	for _, p := range populations {
		if err := ctx.Err(); err != nil {
			return err
		}
		p = p.KnownUntil(o.horizon)
		model := learn(p)
		most := slices.Max(o.budgets)
		sweep := func(s simulate.Signals) simulate.Curve {
			return s.Sweep(simulate.Adaptive, p.Test, most, o.horizon, func(price float64) engagement.Policy {
				return engagement.DefaultAdaptive(model, price)
			})
		}
		base := sweep(simulate.Signals{})
		sh.printf("%s, up to %s, %d tweets: paid looks for equal delay, as a share of those without signals\n", p.Name, o.horizon, len(p.Test))
		w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "recall\t")
		for _, b := range o.budgets {
			fmt.Fprintf(w, "quotes, %g looks\treplies, %g looks\t", b, b)
		}
		fmt.Fprintln(w)
		for _, recall := range o.recalls {
			quotes, replies := sweep(simulate.Signals{Recall: recall, Counts: true}), sweep(simulate.Signals{Recall: recall})
			fmt.Fprintf(w, "%g\t", recall)
			for _, b := range o.budgets {
				for _, c := range []simulate.Curve{quotes, replies} {
					share, enough := simulate.LooksForDelay(base, c, p.Test, b, o.samples, o.seed)
					if enough {
						fmt.Fprint(w, "none needed\t")
						continue
					}
					fmt.Fprintf(w, "%s\t", figure(share))
				}
			}
			fmt.Fprintln(w)
		}
		_ = w.Flush()
		sh.printf("\n")
	}
	return nil
}
