package simulate

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/sourcegraph/conc/iter"
)

// Estimate is a figure with its 95% interval over tweets.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Result is how one schedule compares with the tiers, and with others. Ratios below
// 1 are better.
type Result struct {
	Name string

	Delay Estimate // per engagement, at the tiers' number of looks, over theirs
	Stale Estimate // relative staleness, likewise
	Views Estimate // relative staleness weighed by views, likewise
	Curve Estimate // error of the curve, likewise

	LooksForDelay Estimate // looks for the tiers' delay, over theirs
	LooksForStale Estimate // looks for the tiers' staleness, over theirs

	TakeOff     Estimate // mean time to detect a take-off, at equal looks, over the tiers'
	TakeOff90   Estimate // its 90th percentile, likewise
	TakeOffHalf Estimate // mean, at half the looks

	Empty         Estimate // share of looks that show nothing, at equal looks
	EmptyForDelay Estimate // that at equal delay

	OverAgeOnly Estimate // delay over that of age-only, at the tiers' number of looks
	OverSmart   Estimate // delay over the smart stop's, at its number of looks
	StaleSmart  Estimate // staleness, likewise
}

// Bootstraps is how many samples of tweets the intervals come from.
const Bootstraps = 300

func looks(s *Summary) float64 { return s.Looks }
func delay(s *Summary) float64 { return s.Delay }
func stale(s *Summary) float64 { return s.Stale }

// measures are the fields of Result in order, from the summaries of all curves.
func measures(all map[string][]Summary, name string) []float64 {
	tiers, mine := &all[Tiers][0], all[name]
	over := func(measure func(*Summary) float64, budget float64) float64 {
		return at(mine, looks, budget, measure) / measure(tiers)
	}
	half := tiers.Looks / 2
	b := tiers.Looks
	v := []float64{
		over(delay, b), over(stale, b),
		over(func(s *Summary) float64 { return s.Views }, b),
		over(func(s *Summary) float64 { return s.Curve }, b),
		at(mine, delay, tiers.Delay, looks) / b,
		at(mine, stale, tiers.Stale, looks) / b,
		over(func(s *Summary) float64 { return s.DetectMean[TakeOff] }, b),
		over(func(s *Summary) float64 { return s.Detect90[TakeOff] }, b),
		over(func(s *Summary) float64 { return s.DetectMean[TakeOff] }, half),
		at(mine, looks, b, func(s *Summary) float64 { return s.Empty }),
		at(mine, delay, tiers.Delay, func(s *Summary) float64 { return s.Empty }),
	}
	nan := math.NaN()
	age, smart := nan, [2]float64{nan, nan}
	if others := all[ByAge]; others != nil {
		age = at(mine, looks, b, delay) / at(others, looks, b, delay)
	}
	if others := all[Smart]; others != nil {
		s := &others[0]
		smart = [2]float64{at(mine, looks, s.Looks, delay) / s.Delay, at(mine, looks, s.Looks, stale) / s.Stale}
	}
	return append(v, age, smart[0], smart[1])
}

func (r *Result) fields() []*Estimate {
	return []*Estimate{
		&r.Delay, &r.Stale, &r.Views, &r.Curve, &r.LooksForDelay, &r.LooksForStale, &r.TakeOff, &r.TakeOff90, &r.TakeOffHalf,
		&r.Empty, &r.EmptyForDelay, &r.OverAgeOnly, &r.OverSmart, &r.StaleSmart,
	}
}

// Compare measures all curves against the tiers, with intervals from bootstrap
// samples of the tweets, the same sample for all curves.
func Compare(curves []Curve, samples int, seed uint64) []Result {
	n := len(curves[0].Points[0].Scores)
	summaries := func(weights []float64) map[string][]Summary {
		all := make(map[string][]Summary, len(curves))
		for _, c := range curves {
			for i := range c.Points {
				all[c.Name] = append(all[c.Name], Summarize(c.Points[i].Scores, weights))
			}
		}
		return all
	}
	results := make([]Result, len(curves))
	drawn := make([][][]float64, samples) // by sample, curve, measure
	iter.ForEachIdx(drawn, func(i int, out *[][]float64) {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		weights := make([]float64, n)
		for range n {
			weights[r.IntN(n)]++
		}
		all := summaries(weights)
		for _, c := range curves {
			*out = append(*out, measures(all, c.Name))
		}
	})
	all := summaries(nil)
	for k, c := range curves {
		results[k].Name = c.Name
		values := measures(all, c.Name)
		for m, field := range results[k].fields() {
			var xs []float64
			for i := range drawn {
				if x := drawn[i][k][m]; !math.IsNaN(x) {
					xs = append(xs, x)
				}
			}
			*field = interval(values[m], xs)
		}
	}
	return results
}

func interval(value float64, samples []float64) Estimate {
	e := Estimate{Value: value, Low: math.NaN(), High: math.NaN()}
	if len(samples) > 0 {
		slices.Sort(samples)
		last := float64(len(samples) - 1)
		e.Low, e.High = samples[int(0.025*last+0.5)], samples[int(0.975*last+0.5)]
	}
	return e
}
