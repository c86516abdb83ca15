package simulate

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

// TestRidgeIsTheMinimum: no small step away from the coefficients lessens what they
// minimise.
func TestRidgeIsTheMinimum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "cases")
		xs, ys := make([][]float64, n), make([]float64, n)
		for i := range xs {
			xs[i] = []float64{1, rapid.Float64Range(-3, 3).Draw(t, "x"), rapid.Float64Range(-3, 3).Draw(t, "z")}
			ys[i] = rapid.Float64Range(-3, 3).Draw(t, "y")
		}
		weight := rapid.Float64Range(0.1, 5).Draw(t, "weight")
		loss := func(b []float64) float64 {
			sum := weight * (b[1]*b[1] + b[2]*b[2])
			for i, x := range xs {
				d := ys[i] - b[0] - b[1]*x[1] - b[2]*x[2]
				sum += d * d
			}
			return sum
		}
		b := solveRidge(xs, ys, weight)
		least := loss(b)
		for k := range b {
			for _, step := range []float64{-1e-3, 1e-3} {
				moved := append([]float64(nil), b...)
				moved[k] += step
				if loss(moved) < least-1e-9 {
					t.Fatalf("coefficients %v: moving the one at %d by %v is better", b, k, step)
				}
			}
		}
	})
}

// TestLogLinearKnowsACommonFactor: of tweets that all grow by the same factor from one
// age to another, the regression foretells the truth.
func TestLogLinearKnowsACommonFactor(t *testing.T) {
	t.Parallel()
	var p Population
	for i := range 60 {
		var events []float64
		for k := 1; k <= 40*(i%3+1); k++ { // N(t) goes with the root of the age
			x := float64(k) / float64(40*(i%3+1))
			events = append(events, 48*3600*x*x)
		}
		p.Train = append(p.Train, Tweet{Parent: i, Events: events})
	}
	p.Test = p.Train
	for _, f := range Foretell(engagement.DefaultModel(), p, 2, 1) {
		if f.Ahead <= 3*time.Hour && (f.LogLinear.Value > 0.25 || math.IsNaN(f.LogLinear.Value) || f.Ridge.Value > 0.35) {
			t.Errorf("%s ahead: error %.2f of the log-linear regression, %.2f of the ridge", f.Ahead, f.LogLinear.Value, f.Ridge.Value)
		}
	}
}

// TestFinalSizeOfAKnownRhythm: of tweets that follow the model's kernel exactly, the
// final size is foretold nearly right.
func TestFinalSizeOfAKnownRhythm(t *testing.T) {
	t.Parallel()
	m := engagement.DefaultModel()
	var tweets []Tweet
	for i := range 5 {
		var events []float64
		size := 1000 * (i + 1)
		for k := range size {
			age := 54 * 60 * math.Exp(2.4*normalQuantile((float64(k)+0.5)/float64(size)))
			if age < 7*24*3600 {
				events = append(events, age)
			}
		}
		tweets = append(tweets, Tweet{Events: clean(events)})
	}
	if f := ForetellFinal(m, tweets); f.Tweets != 5 || !(f.Mean < 0.05) || !(f.Median < 0.05) {
		t.Errorf("%+v", f)
	}
}

// TestTheBlendWeighsItsParts: the weights sum to 1, and a part that is always right gets all.
func TestTheBlendWeighsItsParts(t *testing.T) {
	t.Parallel()
	for right := range 3 {
		var cases []blendCase
		for i := range 50 {
			c := blendCase{came: float64(i)}
			for k := range c.parts {
				c.parts[k] = float64(i * (2 + k))
			}
			c.parts[right] = c.came
			cases = append(cases, c)
		}
		w := bestWeights(cases)
		if math.Abs(w[right]-1) > 1e-9 || math.Abs(w[0]+w[1]+w[2]-1) > 1e-9 {
			t.Errorf("part %d is right: weights %v", right, w)
		}
	}
	// A regression that learnt nothing takes no part.
	none := []blendCase{{parts: [3]float64{5, math.NaN(), math.NaN()}, came: 6}}
	if w := bestWeights(none); w != [3]float64{1, 0, 0} {
		t.Errorf("without regressions: weights %v", w)
	}
	b := learnBlend(Synthetic(120, 1).Train)
	for h := range b {
		if sum := b[h][0] + b[h][1] + b[h][2]; math.Abs(sum-1) > 1e-9 {
			t.Errorf("horizon %d: weights %v", h, b[h])
		}
	}
}
