package simulate

import (
	"math"
	"slices"
	"time"

	"gorgone/engagement"
)

// regressions are forecasts by regression to compare with: of counts alone, with no
// model of how tweets grow. Each is learnt on the training half for each look-up of the
// tiers and each horizon, where that has enough cases, and then scaled so that it is
// right on the whole of that half.
type regressions struct {
	growth [engagement.NumHorizons]map[time.Duration]float64   // ln N(t+h) = ln N(t) + growth
	logs   [engagement.NumHorizons]map[time.Duration][]float64 // coefficients of logFeatures
	scales [engagement.NumHorizons][numRegressions]float64
	ages   []time.Duration // of the tiers' look-ups
}

const (
	logLinear = iota // Szabo and Huberman, "Predicting the popularity of online content", arXiv 0811.0405
	ridge            // on the logarithms of the last counts
	numRegressions
)

// minToRegress is how many cases a regression of its own needs; with fewer, that of all
// look-ups together stands in, at age 0.
const minToRegress = 20

// ridgeWeight holds the coefficients at 0, in cases.
const ridgeWeight = 1

// forecastCase is a forecast to make: the count at a look-up, and what came.
type forecastCase struct {
	horizon    int
	age        time.Duration
	now, truth float64
	features   []float64
}

// learnRegressions fits both to tweets.
func learnRegressions(m engagement.Model, tweets []Tweet) *regressions {
	r := &regressions{ages: tierAges()}
	var byAge [engagement.NumHorizons]map[time.Duration][]forecastCase
	for i := range tweets {
		t := &tweets[i]
		eachForecast(m, t, func(h int, age time.Duration, now, truth float64, _ engagement.Expectation) {
			if byAge[h] == nil {
				byAge[h] = map[time.Duration][]forecastCase{}
			}
			c := forecastCase{horizon: h, age: age, now: now, truth: truth, features: r.logFeatures(t, age)}
			byAge[h][age] = append(byAge[h][age], c)
			byAge[h][0] = append(byAge[h][0], c)
		})
	}
	for h := range byAge {
		r.growth[h], r.logs[h] = map[time.Duration]float64{}, map[time.Duration][]float64{}
		for age, cases := range byAge[h] {
			if len(cases) < minToRegress {
				continue
			}
			var xs [][]float64
			var ys []float64
			for _, c := range cases {
				r.growth[h][age] += math.Log(c.truth/c.now) / float64(len(cases))
				xs = append(xs, c.features)
				ys = append(ys, math.Log(max(c.truth-c.now, 0)+0.5))
			}
			r.logs[h][age] = engagement.Ridge(xs, ys, ridgeWeight)
		}
		for k := range numRegressions {
			var came, expected float64
			r.scales[h][k] = 1
			for _, c := range byAge[h][0] {
				came += c.truth - c.now
				expected += r.more(k, c)
			}
			if expected > 0 {
				r.scales[h][k] = came / expected
			}
		}
	}
	return r
}

// more is what a regression expects to come; not a number: it has learnt nothing.
func (r *regressions) more(k int, c forecastCase) float64 {
	for _, age := range [...]time.Duration{c.age, 0} {
		switch k {
		case logLinear:
			if growth, ok := r.growth[c.horizon][age]; ok {
				return r.scales[c.horizon][k] * c.now * math.Expm1(growth)
			}
		case ridge:
			if b := r.logs[c.horizon][age]; b != nil {
				y := 0.0
				for i, x := range c.features {
					y += b[i] * x
				}
				return r.scales[c.horizon][k] * max(math.Exp(y)-0.5, 0)
			}
		}
	}
	return math.NaN()
}

// logFeatures are 1 and the logarithms of the count at a look-up and of what the last
// three showed.
func (r *regressions) logFeatures(t *Tweet, age time.Duration) []float64 {
	i, _ := slices.BinarySearch(r.ages, age)
	n := t.CountAt(age.Seconds())
	x := []float64{1, math.Log(float64(n) + 1)}
	for range 3 {
		i--
		before := 0
		if i >= 0 {
			before = t.CountAt(r.ages[i].Seconds())
		}
		x = append(x, math.Log(float64(n-before)+0.5))
		n = before
	}
	return x
}

// tierAges are the ages at which the tiers look a tweet up.
func tierAges() []time.Duration {
	var ages []time.Duration
	for _, at := range Follow(engagement.DefaultTierPolicy())(&Tweet{}, Horizon12.Seconds(), nil) {
		ages = append(ages, seconds(at))
	}
	return ages
}

// FinalSize is the relative error of the final size that is foretold after an hour, as
// SEISMIC measures itself (Zhao et al., KDD 2015: median 0.15 on tweets with the
// followers of every retweeter, which a count does not tell).
type FinalSize struct {
	Tweets       int
	Mean, Median float64
}

// finalFrom is the least final size that takes part, as in SEISMIC.
const finalFrom = 50

// ForetellFinal measures a model's size after an hour of the tiers.
func ForetellFinal(m engagement.Model, tweets []Tweet) FinalSize {
	var missed []float64
	for i := range tweets {
		t := &tweets[i]
		final := float64(len(t.Events))
		if final < finalFrom || !t.known(7*24*time.Hour) {
			continue
		}
		p := engagement.Learning{Policy: engagement.DefaultTierPolicy(), Model: m}
		replay(p, t, time.Hour.Seconds(), func(_, after engagement.Tracking) {
			if after.ObservedAt.Sub(after.CreatedAt) == time.Hour {
				size, _ := m.Size(after.Activity)
				k := m.Engagement.Kernel
				expected := float64(after.Metrics.Total()) + size*(k.Share(7*24*time.Hour)-k.Share(time.Hour))
				missed = append(missed, math.Abs(expected-final)/final)
			}
		})
	}
	f := FinalSize{Tweets: len(missed), Mean: math.NaN(), Median: math.NaN()}
	if len(missed) == 0 {
		return f
	}
	slices.Sort(missed)
	f.Mean, f.Median = 0, missed[len(missed)/2]
	for _, x := range missed {
		f.Mean += x / float64(len(missed))
	}
	return f
}
