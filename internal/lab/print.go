package lab

import (
	"fmt"
	"math"
	"text/tabwriter"

	"gorgone/internal/app"
	"gorgone/internal/simulate"
)

// showCurves prints what each schedule costs and misses, priced ones at the prices
// nearest the tiers' look-ups, half and double.
func (sh *shell) showCurves(curves []simulate.Curve) {
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tprice\tlooks\tempty\tdelay min\tstale\tcurve\tN=100 min\tN=300\ttake-off\tp90\t")
	budget := curves[0].Points[0].Lookups
	for _, c := range curves {
		shown := map[int]bool{}
		for _, want := range []float64{budget * 2, budget, budget / 2} {
			best := 0
			for i := range c.Points {
				if math.Abs(math.Log(c.Points[i].Lookups/want)) < math.Abs(math.Log(c.Points[best].Lookups/want)) {
					best = i
				}
			}
			if shown[best] {
				continue
			}
			shown[best] = true
			x := c.Points[best]
			fmt.Fprintf(w, "%s\t%.3g\t%.2f\t%.0f%%\t%.2f\t%.2f%%\t%.2f%%\t%.1f\t%.1f\t%.1f\t%.1f\t\n", c.Name, x.Price, x.Lookups, 100*x.Empty, x.Delay, 100*x.Stale, 100*x.Curve,
				x.DetectMean[simulate.Reach100], x.DetectMean[simulate.Reach300], x.DetectMean[simulate.TakeOff], x.Detect90[simulate.TakeOff])
		}
	}
	_ = w.Flush()
}

// absent are the schedules that the table of ratios has no column for: it compares the
// rest with them.
func absent(name string) bool {
	return name == simulate.Tiers || name == simulate.Smart || name == simulate.PlainBackOff || name == simulate.BackOffScaled
}

func (sh *shell) showResults(results []simulate.Result) {
	sh.printf("\nover the tiers, at as many look-ups (ratios; below 1 is better)\n")
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\t")
	for _, r := range results {
		if !absent(r.Name) {
			fmt.Fprintf(w, "%s\t", r.Name)
		}
	}
	fmt.Fprintln(w)
	for m := range simulate.NumMeasures {
		fmt.Fprintf(w, "%s\t", m)
		for _, r := range results {
			if !absent(r.Name) {
				fmt.Fprintf(w, "%s\t", figure(r.Figures[m]))
			}
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
}

// showBill says what a thousand tweets cost with the tiers, and with the adaptive
// schedule for the same delay.
func (sh *shell) showBill(curves []simulate.Curve, results []simulate.Result) {
	price := app.Price(sh.cfg)
	look := price.Dollars
	if price.DayPass {
		sh.showDays(curves, look)
		return
	}
	looks := curves[0].Points[0].Lookups
	for _, r := range results {
		if same := r.Figures[simulate.LookupsForDelay].Value; r.Name == simulate.Adaptive && look > 0 && !math.IsNaN(same) {
			sh.printf("\na thousand tweets cost %.2f dollars with the tiers, and %.2f with the adaptive schedule for the same delay (%g dollars a look-up)\n",
				1000*looks*look, 1000*looks*same*look, look)
		}
	}
}

// showDays is showBill where a tweet is charged for once a UTC day.
func (sh *shell) showDays(curves []simulate.Curve, dollars float64) {
	tiers := curves[0].Points[0]
	for _, c := range curves {
		if days := c.DaysForDelay(tiers.Delay); c.Name == simulate.Adaptive && !math.IsNaN(days) {
			sh.printf("\na thousand tweets cost %.2f dollars with the tiers (%.2f days each), and %.2f with the adaptive schedule for the same delay (%.2f days, %g dollars a day)\n",
				1000*tiers.Days*dollars, tiers.Days, 1000*days*dollars, days, dollars)
		}
	}
}

func (sh *shell) showForecasts(results []simulate.ForecastResult) {
	w := tabwriter.NewWriter(sh.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "ahead\tcases\terror\tlinear\terror over linear\tlog-linear\tridge\terror over the better\terror over the kernel alone\tbias\tin the 80% interval\t")
	for _, r := range results {
		fmt.Fprintf(w, "%g h\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", r.Ahead.Hours(), r.Cases, figure(r.WAPE), figure(r.Linear), figure(r.Ratio), figure(r.LogLinear), figure(r.Ridge), figure(r.OverRegression), figure(r.OverKernel), figure(r.Bias), figure(r.Cover))
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
