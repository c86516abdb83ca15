package engagement

import (
	"cmp"
	"math"
	"slices"
)

// Mix corrects a zone's forecasts of the total engagement by regression, at each of the
// [Horizons], where two-fold cross-validation on hundreds of the zone's tweets showed that
// this gains ([Fit]). The zero value corrects nothing.
type Mix [NumHorizons]Mixture

// Mixture is a weighted mean of what three forecasts expect to come: the kernel's, and two
// regressions, each scaled to be right on the whole. It holds for tweets that are neither
// very young nor tiny; of others the kernel alone says what comes.
type Mixture struct {
	// Weights of the kernel, the log-linear regression and the ridge; all 0: the kernel alone.
	Weights [mixParts]float64 `json:"weights"`
	Scales  [mixParts]float64 `json:"scales"`

	// LogLinear foretells the logarithm of the factor by which the count grows, from the
	// age alone (Szabo and Huberman, "Predicting the popularity of online content", arXiv
	// 0811.0405): coefficients of 1, ln t and ln² t, with t the age in hours.
	LogLinear [mixAges]float64 `json:"log_linear"`

	// Ridge foretells the logarithm of what comes over what the kernel expects, from the
	// logarithms of the last counts (see features).
	Ridge [mixFeatures]float64 `json:"ridge"`
}

// Parts of a [Mixture].
const (
	mixKernel = iota
	mixLogLinear
	mixRidge
	mixParts
)

const (
	mixAges     = 3
	mixFeatures = 5

	// mixTweets is how many tweets a mixture is learnt from at least.
	mixTweets = 200

	// mixGain is by how much another part must lessen the error of the kernel to be used,
	// and a mean of several that of the best of them.
	mixGain = 0.01

	// mixStep is the step of the weights that are tried.
	mixStep = 0.25

	// mixPenalty holds the coefficients of the regressions at 0, in samples.
	mixPenalty = 1

	// mixMost bounds a regression's forecast, in multiples of the kernel's: beyond what
	// it was learnt from an exponential may lead anywhere.
	mixMost = 10
)

// factor is by what the kernel's forecast is to be multiplied.
func (x *Mixture) factor(s forecastSample) float64 {
	if x.Weights == [mixParts]float64{} || !s.typical() || s.more <= 0 {
		return 1
	}
	return mixed(x.Weights, x.parts(s)) / s.more
}

func mixed(weights, parts [mixParts]float64) (sum float64) {
	for k, w := range weights {
		sum += w * parts[k]
	}
	return sum
}

// parts are what each forecast expects to come.
func (x *Mixture) parts(s forecastSample) [mixParts]float64 {
	parts := x.unscaled(s)
	for k := range parts {
		parts[k] *= x.Scales[k]
	}
	return parts
}

func (x *Mixture) unscaled(s forecastSample) [mixParts]float64 {
	var growth, over float64
	for i, f := range s.ages() {
		growth += x.LogLinear[i] * f
	}
	for i, f := range s.features() {
		over += x.Ridge[i] * f
	}
	most := mixMost * (s.more + 1)
	return [...]float64{
		mixKernel:    s.more,
		mixLogLinear: min(s.count*max(math.Expm1(growth), 0), most),
		mixRidge:     min(max((s.more+0.5)*math.Exp(over)-0.5, 0), most),
	}
}

func (s forecastSample) ages() [mixAges]float64 {
	t := math.Log(s.age.Hours())
	return [...]float64{1, t, t * t}
}

// features are 1 and the logarithms of the age, the count, what the kernel expects, and
// what the speed of the last interval leads to.
func (s forecastSample) features() [mixFeatures]float64 {
	return [...]float64{1, math.Log(s.age.Hours()), math.Log(s.count + 1), math.Log(s.more + 0.5), math.Log(max(s.linear, 0) + 0.5)}
}

// learnMixture fits the regressions to samples, and scales all parts.
func learnMixture(samples []forecastSample) Mixture {
	var ages, features [][]float64
	var growth, over []float64
	for _, s := range samples {
		came, byAge, byCounts := max(s.truth, 0), s.ages(), s.features()
		ages, growth = append(ages, byAge[:]), append(growth, math.Log1p(came/s.count))
		features, over = append(features, byCounts[:]), append(over, math.Log((came+0.5)/(s.more+0.5)))
	}
	var x Mixture
	copy(x.LogLinear[:], Ridge(ages, growth, mixPenalty))
	copy(x.Ridge[:], Ridge(features, over, mixPenalty))
	for k := range mixParts {
		expected := slices.Clone(samples)
		for i, s := range samples {
			expected[i].more = x.unscaled(s)[k]
		}
		x.Scales[k] = calibrate(expected)
	}
	return x
}

// chooseMixture learns a mixture from samples of the kernel's forecasts, and chooses the
// weights with the least error in two-fold cross-validation: the earlier tweets foretell the
// later ones, and the other way round. Tweets of one event are posted together, so that those
// of either half know little of the other's. Another part than the kernel is used where it
// gains 1% over that and gains in each quarter of the time, and several together where they
// gain as much again over the best of them. With fewer than 200 tweets it is the kernel alone.
func chooseMixture(samples []forecastSample) Mixture {
	halves, tweets := halvesByAge(samples)
	if tweets < mixTweets {
		return Mixture{}
	}
	var alone, together [][mixParts]float64
	for a := 0.0; a <= 1; a += mixStep {
		for b := 0.0; a+b <= 1; b += mixStep {
			w := [mixParts]float64{1 - a - b, a, b}
			if slices.Max(w[:]) == 1 {
				alone = append(alone, w)
			} else {
				together = append(together, w)
			}
		}
	}
	var parts [2][][mixParts]float64
	for half, learnt := range [2]Mixture{learnMixture(halves[1]), learnMixture(halves[0])} {
		for _, s := range halves[half] {
			parts[half] = append(parts[half], learnt.parts(s))
		}
	}
	const quarters = 4
	missed := func(w [mixParts]float64) (misses [quarters]float64, sum float64) {
		for half, samples := range halves {
			for i, s := range samples {
				miss := math.Abs(mixed(w, parts[half][i]) - s.truth)
				misses[(quarters/2)*half+i*(quarters/2)/len(samples)] += miss
				sum += miss
			}
		}
		return misses, sum
	}
	best := [mixParts]float64{mixKernel: 1}
	for _, candidates := range [][][mixParts]float64{alone, together} {
		before, sum := missed(best)
		least := (1 - mixGain) * sum
		for _, w := range candidates {
			m, sum := missed(w)
			everywhere := true
			for q := range m {
				everywhere = everywhere && m[q] < before[q]
			}
			if everywhere && sum < least {
				best, least = w, sum
			}
		}
	}
	if best[mixKernel] == 1 {
		return Mixture{}
	}
	x := learnMixture(slices.Concat(halves[0], halves[1]))
	x.Weights = best
	return x
}

// halvesByAge parts the samples that count by when their tweets were posted, and counts the
// tweets.
func halvesByAge(samples []forecastSample) (halves [2][]forecastSample, tweets int) {
	var all []forecastSample
	for _, s := range samples {
		if s.typical() {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b forecastSample) int {
		return cmp.Or(a.posted.Compare(b.posted), cmp.Compare(a.tweet, b.tweet))
	})
	var first []int // sample of each tweet
	for i, s := range all {
		if i == 0 || s.tweet != all[i-1].tweet {
			first = append(first, i)
		}
	}
	if len(first) == 0 {
		return halves, 0
	}
	middle := first[len(first)/2]
	return [2][]forecastSample{all[:middle], all[middle:]}, len(first)
}

// Ridge returns the coefficients b with the least Σ(y - b·x)² + penalty·Σb² over samples,
// of which the first, that of a constant, is not held at 0. The penalty is from 0, in
// samples. It returns nil for no samples.
func Ridge(xs [][]float64, ys []float64, penalty float64) []float64 {
	if len(xs) == 0 {
		return nil
	}
	n := len(xs[0])
	a := make([][]float64, n) // the normal equations, with their right-hand side as last column
	for i := range a {
		a[i] = make([]float64, n+1)
		if i > 0 {
			a[i][i] = penalty
		}
	}
	for k, x := range xs {
		for i := range n {
			for j := range n {
				a[i][j] += x[i] * x[j]
			}
			a[i][n] += x[i] * ys[k]
		}
	}
	for i := range n { // positive definite: no pivoting needed
		for j := range n {
			if j == i || a[i][i] == 0 {
				continue
			}
			f := a[j][i] / a[i][i]
			for k := i; k <= n; k++ {
				a[j][k] -= f * a[i][k]
			}
		}
	}
	b := make([]float64, n)
	for i := range b {
		if a[i][i] != 0 {
			b[i] = a[i][n] / a[i][i]
		}
	}
	return b
}
