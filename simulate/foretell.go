package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/sourcegraph/conc/iter"

	"gorgone/engagement"
)

// ForecastResult is how good forecasts are at one horizon, over all looks of the
// tiers at ages of 1 to 12 hours that show 10 engagements or more.
type ForecastResult struct {
	Ahead  time.Duration
	Cases  int
	WAPE   Estimate // Σ|error| / Σ of the increments
	Linear Estimate // the same of the linear extrapolation
	Ratio  Estimate // WAPE over Linear
	Bias   Estimate // Σ error / Σ increments
	Cover  Estimate // share of truths within the 80% interval
}

type forecastSums struct{ truth, miss, linear, bias, inside, cases float64 }

// Foretell measures the forecasts of a model on tweets.
func Foretell(m engagement.Model, tweets []Tweet, samples int, seed uint64) []ForecastResult {
	sums := make([][engagement.NumHorizons]forecastSums, len(tweets))
	iter.ForEachIdx(sums, func(i int, s *[engagement.NumHorizons]forecastSums) {
		eachForecast(m, &tweets[i], func(h int, now, truth float64, e engagement.Expectation) {
			x := &s[h]
			x.cases++
			x.truth += truth - now
			x.miss += math.Abs(e.Mean - truth)
			x.bias += e.Mean - truth
			x.linear += math.Abs(e.Linear - truth)
			if truth >= e.Low && truth <= e.High {
				x.inside++
			}
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
		}
		return []float64{t.miss / t.truth, t.linear / t.truth, t.miss / t.linear, t.bias / t.truth, t.inside / t.cases, t.cases}
	}
	var out []ForecastResult
	for h, ahead := range engagement.Horizons() {
		values := total(h, nil)
		drawn := make([][]float64, samples)
		iter.ForEachIdx(drawn, func(i int, d *[]float64) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			weights := make([]float64, len(tweets))
			for range tweets {
				weights[r.IntN(len(tweets))]++
			}
			*d = total(h, weights)
		})
		result := ForecastResult{Ahead: ahead, Cases: int(values[5])}
		for k, field := range []*Estimate{&result.WAPE, &result.Linear, &result.Ratio, &result.Bias, &result.Cover} {
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
func eachForecast(m engagement.Model, t *Tweet, f func(horizon int, now, truth float64, e engagement.Expectation)) {
	p := engagement.Learning{Policy: engagement.DefaultTierPolicy(), Model: m}
	replay(p, t, Horizon12.Seconds(), func(before, after engagement.Tracking) {
		age := after.ObservedAt.Sub(epoch)
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
			f(h, now, float64(t.CountAt((age + x.Ahead).Seconds())), x.Engagement)
		}
	})
}
