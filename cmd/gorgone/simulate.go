package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/simulate"
	"gorgone/twitter/twittertest"
)

// simulation are the flags of gorgone simulate.
type simulation struct {
	cascades, threads, zone, plots string
	history                        bool
	seed                           uint64
	tweets, perParent, samples     int
	horizons                       []time.Duration
	loop                           bool
	speed                          float64
	prices                         []float64
	model                          string
	discovery                      time.Duration
	only                           []string
}

// fewestTweets is how small a half of the tweets may be.
const fewestTweets = 20

// The models that a simulation may begin with.
const (
	modelLearnt  = "learnt"  // from the training half
	modelDefault = "default" // as a new installation has it
)

func newSimulate(a *app) *cobra.Command {
	var o simulation
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Replay recorded tweets through schedules, and compare error and cost",
		Long: `Replay the lives of tweets through every schedule at a sweep of prices, and say
what each costs (paid tweets) and misses (delay per engagement, staleness), next
to the fixed tiers. Kernel, priors and widths are learnt from one half of the
tweets, all figures are of the other half; intervals are 95%, over tweets.

Tweets come from a file of retweet cascades (--cascades: as they are, and thinned
to ordinary sizes), from a file of reply threads (--threads), from the history
table (--history: your own tweets, counts between two looks interpolated), or,
with none of them, from fitted kernels. Nothing is looked up and nothing written
but plots. The same seed gives the same figures.

Columns, each for a tweet on average:
  price          what a look must be worth, in engagement-hours
  looks, empty   paid looks, and the share of them that showed nothing new
  delay min      minutes an engagement waits until a look shows it
  stale          share of the engagements that is not known yet, over time
  curve          error of the line drawn between looks, as a share of the end
  N=100, N=300   minutes from the 100th (300th) engagement to the look that shows it
  take-off, p90  the same of the moment with 100 engagements within an hour: the
                 mean, and what 90% of the tweets stay below

"known rate" knows how fast each tweet really grows, and "clairvoyant" every
engagement to come: no schedule can, they say what is left to win.
docs/scheduling.md has all of it, measured.`,
		Example: `  gorgone simulate
  gorgone simulate --cascades cascades.tsv.gz --threads threads.tsv.gz --plots plots
  gorgone simulate --history --zone News`,
		Args: exactArgs(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.loop && !cmd.Flags().Changed("horizon") {
				o.horizons = o.horizons[:1]
			}
			return a.simulate(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.cascades, "cascades", "", "file of retweet cascades")
	f.StringVar(&o.threads, "threads", "", "file of reply threads: id, number, seconds from one reply to the next; parted by tabs")
	f.BoolVar(&o.history, "history", false, "use the history table")
	f.StringVar(&o.zone, "zone", "", "with --history: only the tweets of this zone (id or name)")
	f.StringVar(&o.plots, "plots", "", "folder to write plots to, as SVG and PNG")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the split, of thinning and of the intervals")
	f.IntVar(&o.tweets, "tweets", 2000, "number of synthetic tweets, or most tweets of the history")
	f.IntVar(&o.perParent, "per-parent", 0, "thinned tweets made of each cascade (0: 2,000 in all, at least 4 of each)")
	f.IntVar(&o.samples, "samples", simulate.Bootstraps, "bootstrap samples of the intervals")
	f.StringArrayVar(&o.only, "population", nil, "only the population of this name, as the heading of its figures has it (may be given several times)")
	f.DurationSliceVar(&o.horizons, "horizon", []time.Duration{simulate.Horizon12, simulate.Horizon48}, "ages up to which tweets are followed")
	f.BoolVar(&o.loop, "in-the-loop", false, "run the real engine over the tweets instead: dispatcher, worker, NATS, Postgres, and a double of the provider with its rate limit, in sped-up time")
	f.Float64Var(&o.speed, "speed", 120, "with --in-the-loop: how many times faster than real time; real delays count that many times")
	f.Float64SliceVar(&o.prices, "price", nil, "with --in-the-loop: prices of a look for the adaptive schedule (default: some that lead to the tiers' looks and to half of them)")
	f.StringVar(&o.model, "model", modelLearnt, `how tweets grow: "learnt" from the training half, or "default", as a new installation has it`)
	f.DurationVar(&o.discovery, "discovery", 0, "age at which tweets are collected, with the counts they have then (in the loop: 2m)")
	return cmd
}

func (a *app) simulate(ctx context.Context, o simulation) error {
	for _, h := range o.horizons {
		if h < time.Hour || h > 7*24*time.Hour {
			return usageError("--horizon %s: want 1h to 168h", h)
		}
	}
	if o.tweets < 40 || o.samples < 1 || o.perParent < 0 || o.perParent%2 != 0 {
		return usageError("--tweets %d --samples %d --per-parent %d: want 40 tweets or more, a sample or more, an even number per parent", o.tweets, o.samples, o.perParent)
	}
	if o.model != modelLearnt && o.model != modelDefault {
		return usageError("--model %q: want %s or %s", o.model, modelLearnt, modelDefault)
	}
	if o.discovery < 0 || o.discovery > time.Hour {
		return usageError("--discovery %s: want 0 to 1h", o.discovery)
	}
	for _, price := range o.prices {
		if !(price > 0 && price < 1e9) {
			return usageError("--price %g: want more than 0", price)
		}
	}
	populations, err := a.populations(ctx, o)
	if err != nil {
		return err
	}
	if o.plots != "" {
		if err := os.MkdirAll(o.plots, 0o750); err != nil {
			return usageError("--plots: %w", err)
		}
	}
	if o.loop {
		for _, p := range populations {
			if err := a.inTheLoop(ctx, p, o); err != nil {
				return err
			}
		}
		return nil
	}
	for _, p := range populations {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := a.contest(p.FoundAt(o.discovery), o); err != nil {
			return err
		}
	}
	return nil
}

// populations reads or makes the tweets that the flags ask for.
func (a *app) populations(ctx context.Context, o simulation) ([]simulate.Population, error) {
	var out []simulate.Population
	if o.history {
		p, err := a.recorded(ctx, o)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if o.cascades != "" {
		f, err := os.Open(o.cascades)
		if err != nil {
			return nil, usageError("--cascades: %w", err)
		}
		defer f.Close()
		cascades, err := twittertest.LoadCascades(f)
		if err != nil {
			return nil, usageError("--cascades %s: %w", o.cascades, err)
		}
		per := o.perParent
		if per == 0 {
			per = max(2000/len(cascades)/2*2, 4)
		}
		thinned := simulate.Thinned(cascades, simulate.Thinning{PerParent: per, Seed: o.seed})
		out = append(out, simulate.Cascades(cascades, o.seed), thinned, thinned.WithAuthors(learn(thinned), simulate.Horizon48.Seconds()), thinned.ByParent(o.seed))
	}
	if o.threads != "" {
		f, err := os.Open(o.threads)
		if err != nil {
			return nil, usageError("--threads: %w", err)
		}
		defer f.Close()
		p, err := simulate.Threads(f, o.seed)
		if err != nil {
			return nil, usageError("--threads %s: %w", o.threads, err)
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		out = append(out, simulate.Synthetic(o.tweets, o.seed))
	}
	if len(o.only) > 0 {
		known := make([]string, len(out))
		for i, p := range out {
			known[i] = p.Name
		}
		for _, name := range o.only {
			if !slices.Contains(known, name) {
				return nil, usageError("--population %q: want one of %q", name, known)
			}
		}
		out = slices.DeleteFunc(out, func(p simulate.Population) bool { return !slices.Contains(o.only, p.Name) })
	}
	for _, p := range out {
		if len(p.Train) < fewestTweets || len(p.Test) < fewestTweets {
			return nil, usageError("%s: %d tweets to learn from and %d to test on; each half needs %d", p.Name, len(p.Train), len(p.Test), fewestTweets)
		}
	}
	return out, nil
}

// learn fits a model to the training half.
func learn(p simulate.Population) engagement.Model {
	return engagement.Fit(engagement.DefaultModel(), simulate.Histories(p.Train, simulate.Horizon48))
}

// contest runs and prints one population.
func (a *app) contest(p simulate.Population, o simulation) error {
	model := learn(p)
	if o.model == modelDefault {
		model = engagement.DefaultModel()
	}
	k := model.Engagement
	a.printf("%s: %d tweets to learn from (median %.2f h, sigma %.2f, prior %.2f around %.0f), %d to test on\n",
		p.Name, len(p.Train), k.Kernel.Median.Hours(), k.Kernel.Sigma, k.Prior.Shape, k.Prior.Mean(), len(p.Test))
	for _, horizon := range o.horizons {
		known := p.KnownUntil(horizon)
		if len(known.Test) < fewestTweets {
			a.printf("\nup to %s: %d of the tweets were followed that long, fewer than %d\n", horizon, len(known.Test), fewestTweets)
			continue
		}
		curves := simulate.Contest(known, horizon, model, func(price float64) engagement.Policy {
			return engagement.DefaultAdaptive(model, price)
		})
		a.printf("\nup to %s, %d tweets\n", horizon, len(known.Test))
		a.showCurves(curves)
		results := simulate.Compare(curves, o.samples, o.seed)
		a.showResults(results)
		a.showBill(curves, results)
		if o.plots == "" {
			continue
		}
		name := strings.NewReplacer(" ", "-", ",", "").Replace(p.Name)
		for _, kind := range []string{"svg", "png"} {
			file := filepath.Join(o.plots, fmt.Sprintf("%s-%gh.%s", name, horizon.Hours(), kind))
			if err := simulate.Plot(file, fmt.Sprintf("%s, up to %g h", p.Name, horizon.Hours()), curves); err != nil {
				return err
			}
			a.printf("wrote %s\n", file)
		}
	}
	a.printf("\nforecasts\n")
	a.showForecasts(simulate.Foretell(model, p.Test, o.samples, o.seed))
	a.printf("\n")
	return nil
}

// showCurves prints what each schedule costs and misses, priced ones at the prices
// nearest the tiers' looks, half and double.
func (a *app) showCurves(curves []simulate.Curve) {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tprice\tlooks\tempty\tdelay min\tstale\tcurve\tN=100 min\tN=300\ttake-off\tp90\t")
	budget := curves[0].Points[0].Looks
	for _, c := range curves {
		shown := map[int]bool{}
		for _, want := range []float64{budget * 2, budget, budget / 2} {
			best := 0
			for i := range c.Points {
				if math.Abs(math.Log(c.Points[i].Looks/want)) < math.Abs(math.Log(c.Points[best].Looks/want)) {
					best = i
				}
			}
			if shown[best] {
				continue
			}
			shown[best] = true
			x := c.Points[best]
			fmt.Fprintf(w, "%s\t%.3g\t%.2f\t%.0f%%\t%.2f\t%.2f%%\t%.2f%%\t%.1f\t%.1f\t%.1f\t%.1f\t\n", c.Name, x.Price, x.Looks, 100*x.Empty, x.Delay, 100*x.Stale, 100*x.Curve,
				x.DetectMean[simulate.Reach100], x.DetectMean[simulate.Reach300], x.DetectMean[simulate.TakeOff], x.Detect90[simulate.TakeOff])
		}
	}
	_ = w.Flush()
}

func (a *app) showResults(results []simulate.Result) {
	a.printf("\nover the tiers, at as many looks (ratios; below 1 is better)\n")
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	rows := []struct {
		name string
		of   func(*simulate.Result) simulate.Estimate
	}{
		{"delay", func(r *simulate.Result) simulate.Estimate { return r.Delay }},
		{"staleness", func(r *simulate.Result) simulate.Estimate { return r.Stale }},
		{"staleness by views", func(r *simulate.Result) simulate.Estimate { return r.Views }},
		{"curve error", func(r *simulate.Result) simulate.Estimate { return r.Curve }},
		{"looks for equal delay", func(r *simulate.Result) simulate.Estimate { return r.LooksForDelay }},
		{"looks for equal staleness", func(r *simulate.Result) simulate.Estimate { return r.LooksForStale }},
		{"take-off, mean", func(r *simulate.Result) simulate.Estimate { return r.TakeOff }},
		{"take-off, p90", func(r *simulate.Result) simulate.Estimate { return r.TakeOff90 }},
		{"take-off, mean, half the looks", func(r *simulate.Result) simulate.Estimate { return r.TakeOffHalf }},
		{"empty looks (share)", func(r *simulate.Result) simulate.Estimate { return r.Empty }},
		{"empty looks at equal delay", func(r *simulate.Result) simulate.Estimate { return r.EmptyForDelay }},
		{"delay over age-only", func(r *simulate.Result) simulate.Estimate { return r.OverAgeOnly }},
		{"delay over smart stop, its looks", func(r *simulate.Result) simulate.Estimate { return r.OverSmart }},
		{"staleness over smart stop", func(r *simulate.Result) simulate.Estimate { return r.StaleSmart }},
	}
	fmt.Fprint(w, "\t")
	for _, r := range results {
		if r.Name != simulate.Tiers && r.Name != simulate.Smart {
			fmt.Fprintf(w, "%s\t", r.Name)
		}
	}
	fmt.Fprintln(w)
	for _, row := range rows {
		fmt.Fprintf(w, "%s\t", row.name)
		for i := range results {
			if name := results[i].Name; name != simulate.Tiers && name != simulate.Smart {
				fmt.Fprintf(w, "%s\t", figure(row.of(&results[i])))
			}
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

// showBill says what a thousand tweets cost with the tiers, and with the adaptive
// schedule for the same delay.
func (a *app) showBill(curves []simulate.Curve, results []simulate.Result) {
	look := a.storeOptions(nil).Prices[a.cfg.Provider.Name].Dollars
	looks := curves[0].Points[0].Looks
	for _, r := range results {
		if same := r.LooksForDelay.Value; r.Name == simulate.Adaptive && look > 0 && !math.IsNaN(same) {
			a.printf("\na thousand tweets cost %.2f dollars with the tiers, and %.2f with the adaptive schedule for the same delay (%g dollars a look)\n",
				1000*looks*look, 1000*looks*same*look, look)
		}
	}
}

func (a *app) showForecasts(results []simulate.ForecastResult) {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "ahead\tcases\terror\tlinear\terror over linear\tbias\tin the 80% interval\t")
	for _, r := range results {
		fmt.Fprintf(w, "%g h\t%d\t%s\t%s\t%s\t%s\t%s\t\n", r.Ahead.Hours(), r.Cases, figure(r.WAPE), figure(r.Linear), figure(r.Ratio), figure(r.Bias), figure(r.Cover))
	}
	_ = w.Flush()
}

// figure shows a figure with its interval.
func figure(e simulate.Estimate) string {
	if math.IsNaN(e.Value) {
		return "-"
	}
	return fmt.Sprintf("%.3f [%.2f, %.2f]", e.Value, e.Low, e.High)
}
