package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gorgone/engagement"
	"gorgone/internal/failure"
	"gorgone/internal/lab/inloop"
	"gorgone/internal/simulate"
	"gorgone/twitter/fakeprovider"
)

// simulation are the flags of the command simulate.
type simulation struct {
	cascades, threads, zone, plots string
	history                        bool
	seed                           uint64
	tweets, perParent, samples     int
	seeds                          int
	horizons                       []time.Duration
	loop                           bool
	speed                          float64
	prices                         []float64
	model                          string
	discovery                      time.Duration
	only                           []string
}

// The models that a simulation may begin with.
const (
	modelLearnt  = "learnt"  // from the training half
	modelDefault = "default" // as a new installation has it
)

func newSimulate(sh *shell) *cobra.Command {
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
engagement to come: no schedule can, they say what is left to win. "back-off" is a
common plan that knows no rate: hourly until 6 h, then rarer, and up to eight times
rarer while nothing changes. Intervals are from samples of parents: tweets thinned from
the same cascade share its rhythm, and are drawn together.
docs/scheduling.md has all of it, measured.`,
		Example: `  gorgone-lab simulate
  gorgone-lab simulate --cascades cascades.tsv.gz --threads threads.tsv.gz --plots plots
  gorgone-lab simulate --cascades cascades.tsv.gz --seeds 10
  gorgone-lab simulate --history --zone News`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.loop && !cmd.Flags().Changed("horizon") {
				o.horizons = o.horizons[:1]
			}
			return sh.simulate(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&sh.dataDir, "data-dir", ".gorgone", "with --history: the folder of the gorgone up whose database is read, when DATABASE_URL is not set")
	f.StringVar(&o.cascades, "cascades", "", "file of retweet cascades")
	f.StringVar(&o.threads, "threads", "", "file of reply threads: id, number, seconds from one reply to the next; parted by tabs")
	f.BoolVar(&o.history, "history", false, "use the history table")
	f.StringVar(&o.zone, "zone", "", "with --history: only the tweets of this zone (id or name)")
	f.StringVar(&o.plots, "plots", "", "folder to write plots to, as SVG and PNG")
	f.Uint64Var(&o.seed, "seed", 1, "seed of the split, of thinning and of the intervals")
	f.IntVar(&o.seeds, "seeds", 1, "repeat with this many seeds, --seed and those after it, and print the adaptive schedule's figures: mean and spread")
	f.IntVar(&o.tweets, "tweets", 2000, "number of synthetic tweets, or maximum number of tweets of the history")
	f.IntVar(&o.perParent, "per-parent", 0, "thinned tweets made of each cascade (0: 2,000 in all, at least 4 of each)")
	f.IntVar(&o.samples, "samples", simulate.Bootstraps, "bootstrap samples of the intervals")
	f.StringArrayVar(&o.only, "population", nil, "only the population of this name, as the heading of its figures has it (may be given several times)")
	f.DurationSliceVar(&o.horizons, "horizon", []time.Duration{simulate.Horizon12, simulate.Horizon48}, "ages up to which tweets are followed")
	f.BoolVar(&o.loop, "in-the-loop", false, "run the real engine over the tweets instead: dispatcher, worker, NATS, Postgres, and a fake provider with its rate limit, in sped-up time")
	f.Float64Var(&o.speed, "speed", 120, "with --in-the-loop: how many times faster than real time; real delays count that many times")
	f.Float64SliceVar(&o.prices, "price", nil, "with --in-the-loop: prices of a look-up for the adaptive schedule (default: some that lead to the tiers' looks and to half of them)")
	f.StringVar(&o.model, "model", modelLearnt, `how tweets grow: "learnt" from the training half, or "default", as a new installation has it`)
	f.DurationVar(&o.discovery, "discovery", 0, "age at which tweets are collected, with the counts they have then (in the loop: 2m)")
	return cmd
}

func (sh *shell) simulate(ctx context.Context, o simulation) error {
	for _, h := range o.horizons {
		if h < time.Hour || h > 7*24*time.Hour {
			return failure.Usagef("--horizon %s: want 1h to 168h", h)
		}
	}
	if o.tweets < 40 || o.samples < 1 || o.perParent < 0 || o.perParent%2 != 0 {
		return failure.Usagef("--tweets %d --samples %d --per-parent %d: want 40 tweets or more, a sample or more, an even number per parent", o.tweets, o.samples, o.perParent)
	}
	if o.model != modelLearnt && o.model != modelDefault {
		return failure.Usagef("--model %q: want %s or %s", o.model, modelLearnt, modelDefault)
	}
	if o.discovery < 0 || o.discovery > time.Hour {
		return failure.Usagef("--discovery %s: want 0 to 1h", o.discovery)
	}
	for _, price := range o.prices {
		if !(price > 0 && price < 1e9) {
			return failure.Usagef("--price %g: want more than 0", price)
		}
	}
	if o.seeds < 1 || o.seeds > 1 && (o.loop || o.history || o.plots != "") {
		return failure.Usagef("--seeds %d: want 1 or more, and more without --in-the-loop, --history and --plots", o.seeds)
	}
	if o.seeds > 1 {
		return sh.manySeeds(ctx, o)
	}
	populations, err := sh.populations(ctx, o)
	if err != nil {
		return err
	}
	if o.plots != "" {
		if err := os.MkdirAll(o.plots, 0o750); err != nil {
			return failure.Usagef("--plots: %w", err)
		}
	}
	if o.loop {
		for _, p := range populations {
			if err := sh.inLoop(ctx, p, o); err != nil {
				return err
			}
		}
		return nil
	}
	bar := startSteps(sh.errOut, len(populations)*(2*len(o.horizons)+1))
	defer bar.end()
	for _, p := range populations {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := sh.contest(p.FoundAt(o.discovery), o, bar); err != nil {
			return err
		}
	}
	return nil
}

// populationFlags adds the flags that say which tweets are replayed, for commands that read no
// history.
func (o *simulation) populationFlags(cmd *cobra.Command, seed string) {
	f := cmd.Flags()
	f.StringVar(&o.cascades, "cascades", "", "file of retweet cascades (default: tweets made from fitted kernels)")
	f.StringVar(&o.threads, "threads", "", "file of reply threads")
	f.StringArrayVar(&o.only, "population", nil, "only the population of this name (may be given several times)")
	f.Uint64Var(&o.seed, "seed", 1, seed)
	f.IntVar(&o.tweets, "tweets", 2000, "number of synthetic tweets")
	f.IntVar(&o.perParent, "per-parent", 0, "thinned tweets made of each cascade (0: 2,000 in all, at least 4 of each)")
}

// populations reads or makes the tweets that the flags ask for.
func (sh *shell) populations(ctx context.Context, o simulation) ([]simulate.Population, error) {
	var out []simulate.Population
	if o.history {
		p, err := sh.recorded(ctx, o)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	if o.cascades != "" {
		f, err := os.Open(o.cascades)
		if err != nil {
			return nil, failure.Usagef("--cascades: %w", err)
		}
		defer f.Close()
		cascades, err := fakeprovider.LoadCascades(f)
		if err != nil {
			return nil, failure.Usagef("--cascades %s: %w", o.cascades, err)
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
			return nil, failure.Usagef("--threads: %w", err)
		}
		defer f.Close()
		p, err := simulate.Threads(f, o.seed)
		if err != nil {
			return nil, failure.Usagef("--threads %s: %w", o.threads, err)
		}
		out = append(out, p)
	}
	if len(out) == 0 {
		out = append(out, simulate.Synthetic(o.tweets, o.seed), simulate.SyntheticCountry(o.tweets, o.seed))
	}
	if len(o.only) > 0 {
		known := make([]string, len(out))
		for i, p := range out {
			known[i] = p.Name
		}
		for _, name := range o.only {
			if !slices.Contains(known, name) {
				return nil, failure.Usagef("--population %q: want one of %q", name, known)
			}
		}
		out = slices.DeleteFunc(out, func(p simulate.Population) bool { return !slices.Contains(o.only, p.Name) })
	}
	for _, p := range out {
		if len(p.Train) < simulate.MinTweets || len(p.Test) < simulate.MinTweets {
			return nil, failure.Usagef("%s: %d tweets to learn from and %d to test on; each half needs %d", p.Name, len(p.Train), len(p.Test), simulate.MinTweets)
		}
	}
	return out, nil
}

// learn fits a model to the training half.
func learn(p simulate.Population) engagement.Model {
	return engagement.Fit(engagement.DefaultModel(), simulate.Histories(p.Train, simulate.Horizon48))
}

// modelFor is the model that a simulation begins with.
func modelFor(p simulate.Population, o simulation) engagement.Model {
	if o.model == modelDefault {
		return engagement.DefaultModel()
	}
	return learn(p)
}

// inLoop runs and prints one population with the real engine.
func (sh *shell) inLoop(ctx context.Context, p simulate.Population, o simulation) error {
	loop := inloop.Options{
		Speed: o.speed, Tweets: o.tweets, Prices: o.prices, Seed: o.seed, DefaultModel: o.model == modelDefault,
		Version: sh.version, Out: sh.out, Log: sh.log,
	}
	for _, horizon := range o.horizons {
		loop.Horizon = horizon
		curves, err := inloop.Run(ctx, sh.cfg, p, loop)
		if err != nil {
			return err
		}
		sh.showResults(simulate.Compare(curves, p.Test, o.samples, o.seed))
		sh.printf("\n")
	}
	return nil
}

// contest runs and prints one population.
func (sh *shell) contest(p simulate.Population, o simulation, bar *steps) error {
	model := modelFor(p, o)
	k := model.Engagement
	bar.clear()
	sh.printf("%s: %d tweets to learn from (median %.2f h, sigma %.2f, prior %.2f around %.0f), %d to test on\n",
		p.Name, len(p.Train), k.Kernel.Median.Hours(), k.Kernel.Sigma, k.Prior.Shape, k.Prior.Mean(), len(p.Test))
	for _, horizon := range o.horizons {
		known := p.KnownUntil(horizon)
		if len(known.Test) < simulate.MinTweets {
			bar.done(2)
			bar.clear()
			sh.printf("\nup to %s: %d of the tweets were followed that long, fewer than %d\n", horizon, len(known.Test), simulate.MinTweets)
			continue
		}
		bar.show()
		curves := simulate.Contest(known, horizon, model, sh.adaptive(model))
		bar.done(1)
		results := simulate.Compare(curves, known.Test, o.samples, o.seed)
		bar.done(1)
		bar.clear()
		sh.printf("\nup to %s, %d tweets\n", horizon, len(known.Test))
		sh.showCurves(curves)
		sh.showResults(results)
		sh.showBill(curves, results)
		if o.plots == "" {
			continue
		}
		name := strings.NewReplacer(" ", "-", ",", "").Replace(p.Name)
		for _, kind := range []string{"svg", "png"} {
			file := filepath.Join(o.plots, fmt.Sprintf("%s-%gh.%s", name, horizon.Hours(), kind))
			if err := plotCurves(file, fmt.Sprintf("%s, up to %g h", p.Name, horizon.Hours()), curves); err != nil {
				return err
			}
			sh.printf("wrote %s\n", file)
		}
	}
	bar.show()
	forecasts := simulate.Foretell(model, p, o.samples, o.seed)
	bar.done(1)
	bar.clear()
	sh.printf("\nforecasts\n")
	sh.showForecasts(forecasts)
	if f := simulate.ForetellFinal(model, p.Test); f.Tweets > 0 {
		sh.printf("final size after 1 h, %d tweets of 50 or more: relative error %.3f on average, median %.3f\n", f.Tweets, f.Mean, f.Median)
	}
	sh.printf("\n")
	return nil
}
