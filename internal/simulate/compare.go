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

// Measure is a figure by which a schedule compares with others. Ratios below 1 are
// better.
type Measure int

// The measures. The first ones are ratios to the tiers, at their number of look-ups
// where nothing else is said.
const (
	DelayOverTiers   Measure = iota // delay per engagement
	StaleOverTiers                  // relative staleness
	ViewsOverTiers                  // relative staleness weighted by views
	CurveOverTiers                  // error of the curve
	LookupsForDelay                 // look-ups for the tiers' delay
	LookupsForStale                 // look-ups for the tiers' staleness
	TakeOffOverTiers                // mean time to detect a take-off
	TakeOff90                       // its 90th percentile
	TakeOffHalf                     // mean, at half the look-ups
	EmptyShare                      // share of look-ups that show nothing
	EmptyForDelay                   // that at the tiers' delay
	DelayOverAgeOnly                // delay over that of age-only
	DelayOverKnown                  // delay over that of the known rate
	DelayOverBound                  // delay over that of the clairvoyant

	// At the smart stop's number of look-ups, over it.
	DelayOverSmart
	StaleOverSmart

	// At the back-off's number of look-ups, over it.
	DelayOverBackOff
	StaleOverBackOff
	ViewsOverBackOff
	TakeOffOverBackOff

	// At [FewLookups].
	FewOverBackOff // delay over that of the back-off scaled to as many
	FewOverKnown   // delay over that of the known rate
	FewOverBound   // delay over that of the clairvoyant

	NumMeasures
)

// FewLookups is a number of look-ups a tweet where money is short.
const FewLookups = 5

// String returns the measure as the heading of a row.
func (m Measure) String() string {
	return [NumMeasures]string{
		"delay", "staleness", "staleness by views", "curve error", "look-ups for equal delay", "look-ups for equal staleness",
		"take-off, mean", "take-off, p90", "take-off, mean, half the look-ups", "empty look-ups (share)", "empty look-ups at equal delay",
		"delay over age-only", "delay over known rate", "delay over clairvoyant",
		"delay over smart stop, its look-ups", "staleness over smart stop",
		"delay over back-off, its look-ups", "staleness over back-off", "staleness by views over back-off", "take-off over back-off",
		"5 look-ups: delay over back-off", "5 look-ups: delay over known rate", "5 look-ups: delay over clairvoyant",
	}[m]
}

// Result is how one schedule compares with the others.
type Result struct {
	Name    string
	Figures [NumMeasures]Estimate // not a number where there is none
}

// Bootstraps is how many samples of tweets the intervals come from.
const Bootstraps = 300

func looks(s *Summary) float64 { return s.Lookups }
func delay(s *Summary) float64 { return s.Delay }
func stale(s *Summary) float64 { return s.Stale }
func views(s *Summary) float64 { return s.Views }

// measures computes the figures of a schedule from the summaries of all.
func measures(all map[string][]Summary, name string) (v [NumMeasures]float64) {
	tiers, mine := &all[Tiers][0], all[name]
	for i := range v {
		v[i] = math.NaN()
	}
	over := func(measure func(*Summary) float64, budget float64) float64 {
		return at(mine, looks, budget, measure) / measure(tiers)
	}
	b := tiers.Lookups
	v[DelayOverTiers], v[StaleOverTiers], v[ViewsOverTiers] = over(delay, b), over(stale, b), over(views, b)
	v[CurveOverTiers] = over(func(s *Summary) float64 { return s.Curve }, b)
	v[LookupsForDelay] = at(mine, delay, tiers.Delay, looks) / b
	v[LookupsForStale] = at(mine, stale, tiers.Stale, looks) / b
	takeOff := func(s *Summary) float64 { return s.DetectMean[TakeOff] }
	v[TakeOffOverTiers], v[TakeOffHalf] = over(takeOff, b), over(takeOff, b/2)
	v[TakeOff90] = over(func(s *Summary) float64 { return s.Detect90[TakeOff] }, b)
	v[EmptyShare] = at(mine, looks, b, func(s *Summary) float64 { return s.Empty })
	v[EmptyForDelay] = at(mine, delay, tiers.Delay, func(s *Summary) float64 { return s.Empty })
	// against puts the ratio to another schedule where that took part.
	against := func(m Measure, other string, budget float64, measure func(*Summary) float64) {
		if points := all[other]; points != nil {
			v[m] = at(mine, looks, budget, measure) / atMost(points, budget, measure)
		}
	}
	against(DelayOverAgeOnly, ByAge, b, delay)
	against(DelayOverKnown, Known, b, delay)
	against(DelayOverBound, Bound, b, delay)
	against(FewOverBackOff, BackOffScaled, FewLookups, delay)
	against(FewOverKnown, Known, FewLookups, delay)
	against(FewOverBound, Bound, FewLookups, delay)
	if points := all[Smart]; points != nil {
		against(DelayOverSmart, Smart, points[0].Lookups, delay)
		against(StaleOverSmart, Smart, points[0].Lookups, stale)
	}
	if points := all[PlainBackOff]; points != nil {
		against(DelayOverBackOff, PlainBackOff, points[0].Lookups, delay)
		against(StaleOverBackOff, PlainBackOff, points[0].Lookups, stale)
		against(ViewsOverBackOff, PlainBackOff, points[0].Lookups, views)
		against(TakeOffOverBackOff, PlainBackOff, points[0].Lookups, takeOff)
	}
	return v
}

// atMost is [at] by look-ups for a schedule that has no use for as many: it keeps what
// its most look-ups reach.
func atMost(points []Summary, budget float64, measure func(*Summary) float64) float64 {
	if len(points) > 1 && points[0].Lookups < budget {
		return measure(&points[0])
	}
	return at(points, looks, budget, measure)
}

// Compare measures all curves, with intervals from bootstrap samples of the tweets,
// the same sample for all curves. Tweets of the same parent are drawn together, as
// they share its rhythm; tweets are those that the curves are of.
func Compare(curves []Curve, tweets []Tweet, samples int, seed uint64) []Result {
	summaries := func(weights []float64) map[string][]Summary {
		all := make(map[string][]Summary, len(curves))
		for _, c := range curves {
			for i := range c.Points {
				all[c.Name] = append(all[c.Name], Summarize(c.Points[i].Scores, weights))
			}
		}
		return all
	}
	parents := byParent(tweets)
	drawn := make([][][NumMeasures]float64, samples) // by sample and curve
	iter.ForEachIdx(drawn, func(i int, out *[][NumMeasures]float64) {
		all := summaries(parents.draw(rand.New(rand.NewPCG(seed, uint64(i)))))
		for _, c := range curves {
			*out = append(*out, measures(all, c.Name))
		}
	})
	all := summaries(nil)
	results := make([]Result, len(curves))
	for k, c := range curves {
		results[k].Name = c.Name
		for m, value := range measures(all, c.Name) {
			var xs []float64
			for i := range drawn {
				if x := drawn[i][k][m]; !math.IsNaN(x) {
					xs = append(xs, x)
				}
			}
			results[k].Figures[m] = interval(value, xs)
		}
	}
	return results
}

// families are the indexes of the tweets of each parent.
type families struct {
	members [][]int
	tweets  int
}

func byParent(tweets []Tweet) families {
	f := families{tweets: len(tweets)}
	index := map[int]int{}
	for i := range tweets {
		parent := tweets[i].Parent
		k, ok := index[parent]
		if !ok {
			k = len(f.members)
			index[parent] = k
			f.members = append(f.members, nil)
		}
		f.members[k] = append(f.members[k], i)
	}
	return f
}

// draw returns how often each tweet counts in a bootstrap sample of the parents.
func (f families) draw(r *rand.Rand) []float64 {
	weights := make([]float64, f.tweets)
	for range f.members {
		for _, i := range f.members[r.IntN(len(f.members))] {
			weights[i]++
		}
	}
	return weights
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

// Spread is a figure over seeds.
type Spread struct {
	Mean, SD, Low, High float64
	Seeds               int // those that have the figure
}

// SpreadOf sums up what the seeds gave, without those that have no figure.
func SpreadOf(values []float64) Spread {
	s := Spread{Low: math.Inf(1), High: math.Inf(-1)}
	var square float64
	for _, x := range values {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			continue
		}
		s.Seeds++
		s.Mean += x
		square += x * x
		s.Low, s.High = min(s.Low, x), max(s.High, x)
	}
	n := float64(s.Seeds)
	s.Mean /= n
	s.SD = math.Sqrt(max(square-n*s.Mean*s.Mean, 0) / max(n-1, 1))
	return s
}
