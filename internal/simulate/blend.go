package simulate

import (
	"math"
	"time"

	"gorgone/engagement"
)

// blend is a weighted mean of the model's forecast and those of the regressions, by horizon.
type blend [engagement.NumHorizons][1 + numRegressions]float64

// blendStep is the step of the weights that are tried.
const blendStep = 0.1

// learnBlend chooses the weights with the least error in two-fold cross-validation: each
// half of the tweets (every other one) is forecast by what the other half taught.
func learnBlend(tweets []Tweet) blend {
	folds := [2][]Tweet{}
	for i, t := range tweets {
		folds[i%2] = append(folds[i%2], t)
	}
	var cases [engagement.NumHorizons][]blendCase
	for k := range folds {
		m := engagement.Fit(engagement.DefaultModel(), Histories(folds[k], Horizon48))
		r := learnRegressions(m, folds[k])
		for i := range folds[1-k] {
			t := &folds[1-k][i]
			eachForecast(m, t, func(h int, age time.Duration, now, truth float64, e engagement.Expectation) {
				cases[h] = append(cases[h], blendCase{r.parts(t, h, age, now, e), truth - now})
			})
		}
	}
	var b blend
	for h := range b {
		b[h] = bestWeights(cases[h])
	}
	return b
}

// blendCase is what each part expects to come, and what came.
type blendCase struct {
	parts [1 + numRegressions]float64
	came  float64
}

// parts are what the model and the regressions expect to come.
func (r *regressions) parts(t *Tweet, h int, age time.Duration, now float64, e engagement.Expectation) [1 + numRegressions]float64 {
	c := forecastCase{horizon: h, age: age, now: now, features: r.logFeatures(t, age)}
	return [...]float64{e.Mean - now, r.more(logLinear, c), r.more(ridge, c)}
}

func bestWeights(cases []blendCase) [1 + numRegressions]float64 {
	best, least := [1 + numRegressions]float64{1}, math.Inf(1)
	for a := 0.0; a < 1+blendStep/2; a += blendStep {
		for b := 0.0; a+b < 1+blendStep/2; b += blendStep {
			w := [...]float64{max(1-a-b, 0), a, b}
			miss := 0.0
			for _, c := range cases {
				miss += math.Abs(mixed(w, c.parts) - c.came)
			}
			if miss < least {
				best, least = w, miss
			}
		}
	}
	return best
}

// mixed is the weighted mean of the parts that have a weight; a regression that learnt
// nothing is no number.
func mixed(w, parts [1 + numRegressions]float64) (sum float64) {
	for k := range w {
		if w[k] > blendStep/2 {
			sum += w[k] * parts[k]
		}
	}
	return sum
}
