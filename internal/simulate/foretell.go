package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/sourcegraph/conc/iter"

	"gorgone/engagement"
)

// ForecastResult is how good forecasts are at one horizon, over all look-ups of the
// tiers at ages of 1 to 12 hours that show 10 engagements or more.
type ForecastResult struct {
	Ahead  time.Duration
	Cases  int
	WAPE   Estimate // Σ|error| / Σ of the increments
	Linear Estimate // the same of the linear extrapolation
	Ratio  Estimate // WAPE over Linear
	Bias   Estimate // Σ error / Σ increments
	Cover  Estimate // share of truths within the 80% interval

	// The regressions that take part, learnt on the training half: WAPE of the
	// log-linear one and of the ridge on the last counts, and WAPE of the model over that
	// of the better one.
	LogLinear, Ridge, OverRegression Estimate

	// OverKernel is the WAPE over that of the model's kernel alone, without its
	// [engagement.Mix].
	OverKernel Estimate
}

type forecastSums struct {
	truth, miss, linear, bias, inside, cases float64
	regressed                                [numRegressions]float64
	kernel                                   float64
}

// Foretell measures the forecasts of a model, which was learnt from the training half
// of a population, on its test half.
func Foretell(m engagement.Model, p Population, samples int, seed uint64) []ForecastResult {
	tweets := p.Test
	learnt := learnRegressions(m, p.Train)
	kernel := m
	kernel.Mix = engagement.Mix{}
	sums := make([][engagement.NumHorizons]forecastSums, len(tweets))
	iter.ForEachIdx(sums, func(i int, s *[engagement.NumHorizons]forecastSums) {
		eachForecast(m, &tweets[i], func(h int, age time.Duration, now, truth float64, e engagement.Expectation) {
			x := &s[h]
			c := forecastCase{horizon: h, age: age, now: now, features: learnt.logFeatures(&tweets[i], age)}
			for k := range numRegressions {
				x.regressed[k] += math.Abs(now + learnt.more(k, c) - truth)
			}
			x.cases++
			x.truth += truth - now
			x.miss += math.Abs(e.Mean - truth)
			x.bias += e.Mean - truth
			x.linear += math.Abs(e.Linear - truth)
			if truth >= e.Low && truth <= e.High {
				x.inside++
			}
		})
		eachForecast(kernel, &tweets[i], func(h int, _ time.Duration, _, truth float64, e engagement.Expectation) {
			s[h].kernel += math.Abs(e.Mean - truth)
		})
	})
	total := func(h int, weights []float64) []float64 {
		var t forecastSums
		for i := range sums {
			w, s := 1.0, &sums[i][h]
			if weights != nil {
				w = weights[i]
			}
			t.truth += w * s.truth
			t.miss += w * s.miss
			t.bias += w * s.bias
			t.linear += w * s.linear
			t.inside += w * s.inside
			t.cases += w * s.cases
			t.kernel += w * s.kernel
			for k := range numRegressions {
				t.regressed[k] += w * s.regressed[k]
			}
		}
		lines, logs := t.regressed[logLinear], t.regressed[ridge]
		return []float64{
			t.miss / t.truth, t.linear / t.truth, t.miss / t.linear, t.bias / t.truth, t.inside / t.cases,
			lines / t.truth, logs / t.truth, t.miss / min(lines, logs), t.miss / t.kernel, t.cases,
		}
	}
	parents := byParent(tweets)
	var out []ForecastResult
	for h, ahead := range engagement.Horizons() {
		values := total(h, nil)
		drawn := make([][]float64, samples)
		iter.ForEachIdx(drawn, func(i int, d *[]float64) {
			*d = total(h, parents.draw(rand.New(rand.NewPCG(seed, uint64(i)))))
		})
		result := ForecastResult{Ahead: ahead, Cases: int(values[9])}
		for k, field := range []*Estimate{&result.WAPE, &result.Linear, &result.Ratio, &result.Bias, &result.Cover, &result.LogLinear, &result.Ridge, &result.OverRegression, &result.OverKernel} {
			xs := make([]float64, samples)
			for i := range drawn {
				xs[i] = drawn[i][k]
			}
			*field = interval(values[k], xs)
		}
		out = append(out, result)
	}
	return out
}

// eachForecast follows a tweet along the tiers and calls f for each forecast that
// counts, with the count then and the truth at the horizon.
func eachForecast(m engagement.Model, t *Tweet, f func(horizon int, age time.Duration, now, truth float64, e engagement.Expectation)) {
	p := engagement.Learning{Policy: engagement.DefaultTierPolicy(), Model: m}
	replay(p, t, Horizon12.Seconds(), func(before, after engagement.Tracking) {
		age := after.ObservedAt.Sub(after.CreatedAt)
		now := float64(after.Metrics.Total())
		if age < time.Hour || now < 10 {
			return
		}
		last := engagement.Snapshot{At: before.SnapshotAt, Metrics: before.Snapshot}
		forecast, ok := m.Forecast(after, &last)
		if !ok {
			return
		}
		for h, x := range forecast.Horizons {
			if !t.known(age + x.Ahead) {
				continue
			}
			f(h, age, now, float64(t.CountAt((age + x.Ahead).Seconds())), x.Engagement)
		}
	})
}
