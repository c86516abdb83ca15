package lab

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"gorgone/engagement"
	"gorgone/internal/simulate"
)

// overSeeds are the figures of the adaptive schedule, one a seed, by population.
type overSeeds struct {
	names    []string // of the populations, in order
	measures map[string]map[time.Duration][simulate.NumMeasures][]float64
	foretold map[string][]forecastFigures // by horizon
	final    map[string][]float64         // median relative error of the final size after an hour
}

// forecastFigures are those of one horizon, one a seed.
type forecastFigures struct {
	ahead              time.Duration
	ratio, bias, cover []float64
	regression         []float64 // error over the better regression's
	kernel             []float64 // error over that of the kernel alone
}

// manySeeds repeats a simulation with one seed after another, each with another split
// and other thinned tweets, and prints how far the adaptive schedule's figures spread.
func (sh *shell) manySeeds(ctx context.Context, o simulation) error {
	all := overSeeds{measures: map[string]map[time.Duration][simulate.NumMeasures][]float64{}, foretold: map[string][]forecastFigures{}, final: map[string][]float64{}}
	first := o.seed
	var bar *steps
	defer func() { bar.end() }()
	for i := range o.seeds {
		o.seed = first + uint64(i)
		populations, err := sh.populations(ctx, o)
		if err != nil {
			return err
		}
		if bar == nil {
			bar = startSteps(sh.errOut, o.seeds*len(populations))
		}
		for _, p := range populations {
			if err := ctx.Err(); err != nil {
				return err
			}
			all.add(p.FoundAt(o.discovery), o)
			bar.done(1)
		}
	}
	bar.clear()
	for _, name := range all.names {
		sh.printf("%s, seeds %d to %d: mean ± standard deviation [lowest, highest]\n", name, first, o.seed)
		w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
		fmt.Fprint(w, "adaptive\t")
		for _, h := range o.horizons {
			fmt.Fprintf(w, "up to %g h\t", h.Hours())
		}
		fmt.Fprintln(w)
		for m := range simulate.NumMeasures {
			fmt.Fprintf(w, "%s\t", m)
			for _, h := range o.horizons {
				fmt.Fprintf(w, "%s\t", spread(all.measures[name][h][m]))
			}
			fmt.Fprintln(w)
		}
		for _, f := range all.foretold[name] {
			fmt.Fprintf(w, "forecast, %g h: error over linear\t%s\t\n", f.ahead.Hours(), spread(f.ratio))
			fmt.Fprintf(w, "error over the better regression\t%s\t\n", spread(f.regression))
			fmt.Fprintf(w, "error over the kernel alone\t%s\t\n", spread(f.kernel))
			fmt.Fprintf(w, "bias\t%s\t\n", spread(f.bias))
			fmt.Fprintf(w, "in the 80%% interval\t%s\t\n", spread(f.cover))
		}
		fmt.Fprintf(w, "final size after 1 h, median error\t%s\t\n", spread(all.final[name]))
		_ = w.Flush()
		sh.printf("\n")
	}
	return nil
}

// add measures one population.
func (a *overSeeds) add(p simulate.Population, o simulation) {
	if _, ok := a.measures[p.Name]; !ok {
		a.names = append(a.names, p.Name)
		a.measures[p.Name] = map[time.Duration][simulate.NumMeasures][]float64{}
	}
	model := modelFor(p, o)
	for _, horizon := range o.horizons {
		known := p.KnownUntil(horizon)
		if len(known.Test) < simulate.MinTweets {
			continue
		}
		curves := simulate.Contest(known, horizon, model, func(price float64) engagement.Policy {
			return engagement.DefaultAdaptive(model, price)
		})
		figures := a.measures[p.Name][horizon]
		for _, r := range simulate.Compare(curves, known.Test, 0, o.seed) {
			for m := range r.Figures {
				if r.Name == simulate.Adaptive {
					figures[m] = append(figures[m], r.Figures[m].Value)
				}
			}
		}
		a.measures[p.Name][horizon] = figures
	}
	results := simulate.Foretell(model, p, 0, o.seed)
	forecasts := a.foretold[p.Name]
	if forecasts == nil {
		forecasts = make([]forecastFigures, len(results))
	}
	for i, r := range results {
		f := &forecasts[i]
		f.ahead = r.Ahead
		f.ratio, f.bias, f.cover = append(f.ratio, r.Ratio.Value), append(f.bias, r.Bias.Value), append(f.cover, r.Cover.Value)
		f.regression = append(f.regression, r.OverRegression.Value)
		f.kernel = append(f.kernel, r.OverKernel.Value)
	}
	a.foretold[p.Name] = forecasts
	if f := simulate.ForetellFinal(model, p.Test); f.Tweets > 0 {
		a.final[p.Name] = append(a.final[p.Name], f.Median)
	}
}

// spread shows a figure over seeds.
func spread(values []float64) string {
	s := simulate.SpreadOf(values)
	if s.Seeds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f ± %.3f [%.2f, %.2f]", s.Mean, s.SD, s.Low, s.High)
}
