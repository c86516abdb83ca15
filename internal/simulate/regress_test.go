package simulate

import (
	"math"
	"testing"
	"time"

	"gorgone/engagement"
)

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
