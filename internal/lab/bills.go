package lab

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/app"
	"gorgone/internal/failure"
	"gorgone/internal/simulate"
	"gorgone/twitter"
)

// billed are the flags of the command bills.
type billed struct {
	simulation

	volumes []int
	price   float64
}

// idsPerCall is how many ids a call takes by default.
func idsPerCall(provider string) int {
	if provider == twitter.TwitterAPIName {
		return 50
	}
	return 100
}

const (
	// dispatchEvery is the default of GORGONE_DISPATCH_EVERY.
	dispatchEvery = 5 * time.Second
	daysAMonth    = 30
)

func newBills(sh *shell) *cobra.Command {
	var o billed
	cmd := &cobra.Command{
		Use:   "bills",
		Short: "Show what a month costs at each provider under each schedule",
		Long: `Replay tweets up to the age of 48 hours through the tiers, the adaptive schedule, and
the adaptive schedule that knows what X charges for, and show what a month of 30 days
costs at each provider when so many tweets are posted a day. Look-ups are put into
calls of what is due within five seconds, and each call is charged for by the price
list, with its least charge; X charges for a tweet once a UTC day. Nothing is looked
up and nothing written.

Columns:
  looks, days    look-ups of a tweet, and UTC days with one
  delay min      minutes an engagement waits until a look shows it
  calls/min      calls in the busiest minute of the day, of the provider before it`,
		Example: `  gorgone-lab bills
  gorgone-lab bills --cascades cascades.tsv.gz --population thinned --volume 10000`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return sh.bills(cmd.Context(), o) },
	}
	f := cmd.Flags()
	o.populationFlags(cmd, "seed of the split, of thinning and of the times of post")
	f.IntSliceVar(&o.volumes, "volume", []int{1000, 10_000, 100_000}, "tweets posted a day")
	f.Float64Var(&o.price, "price", engagement.DefaultPrice, "what a look-up must be worth on the adaptive schedule, in engagement-hours")
	return cmd
}

func (sh *shell) bills(ctx context.Context, o billed) error {
	for _, n := range o.volumes {
		if n < 1 || n > 1_000_000 {
			return failure.Usagef("--volume %d: want 1 to 1,000,000", n)
		}
	}
	if !(o.price > 0 && o.price < 1e9) {
		return failure.Usagef("--price %g: want more than 0", o.price)
	}
	if o.tweets < 40 || o.perParent < 0 || o.perParent%2 != 0 {
		return failure.Usagef("--tweets %d --per-parent %d: want 40 tweets or more, an even number per parent", o.tweets, o.perParent)
	}
	populations, err := sh.populations(ctx, o.simulation)
	if err != nil {
		return err
	}
	for _, p := range populations {
		p = p.KnownUntil(simulate.Horizon48)
		model := learn(p)
		sh.printf("%s, %d tweets, price %g\n", p.Name, len(p.Test), o.price)
		w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "tweets a day\tschedule\tlooks\tdays\tdelay min\t")
		for _, name := range twitter.Providers() {
			fmt.Fprintf(w, "%s $ a month\tcalls/min\t", name)
		}
		fmt.Fprintln(w)
		for _, volume := range o.volumes {
			for _, s := range schedulesOf(model, o.price) {
				if err := ctx.Err(); err != nil {
					return err
				}
				traffic := simulate.NewTraffic(p.Test, volume, s.policy, o.seed)
				fmt.Fprintf(w, "%d\t%s\t%.1f\t%.2f\t%.0f\t", volume, s.name, traffic.Lookups, traffic.Days, traffic.Delay)
				for _, name := range twitter.Providers() {
					b := twitter.ListPrice(name)
					if s.dayPass && !b.DayPass {
						fmt.Fprint(w, "as adaptive\t\t") // such a provider has no other schedule
						continue
					}
					bill := traffic.Bill(b, idsPerCall(name), dispatchEvery)
					fmt.Fprintf(w, "%.2f\t%d\t", bill.Dollars*daysAMonth, bill.Busiest)
				}
				fmt.Fprintln(w)
			}
		}
		_ = w.Flush()
		sh.printf("\n")
	}
	return nil
}

// scheduled is a schedule by its name.
type scheduled struct {
	name    string
	policy  engagement.Policy
	dayPass bool // it is only for providers that charge for a tweet once a day
}

func schedulesOf(m engagement.Model, price float64) []scheduled {
	aware := engagement.DefaultAdaptive(m, price)
	aware.Again = engagement.RepeatShare
	return []scheduled{
		{name: "tiers", policy: engagement.DefaultTierPolicy()},
		{name: "adaptive", policy: engagement.DefaultAdaptive(m, price)},
		{name: "adaptive, day pass", policy: aware, dayPass: true},
	}
}

// adaptive is the adaptive schedule as the engine has it for the provider that is configured.
func (sh *shell) adaptive(m engagement.Model) func(price float64) engagement.Policy {
	dayPass := app.Price(sh.cfg).DayPass
	return func(price float64) engagement.Policy {
		a := engagement.DefaultAdaptive(m, price)
		if dayPass {
			a.Again = engagement.RepeatShare
		}
		return a
	}
}
