package simulate

import (
	"testing"
	"time"

	"gorgone/engagement"
)

// TestTheClockGainsInOneCountry: where the audience sleeps, the same model forecasts
// worse and looks later without its clock.
func TestTheClockGainsInOneCountry(t *testing.T) {
	t.Parallel()
	p := SyntheticCountry(600, 3)
	with := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
	if with.Clock == (engagement.Clock{}) {
		t.Fatal("no clock was learnt")
	}
	without := with
	without.Clock = engagement.Clock{}
	errors := func(m engagement.Model) float64 {
		for _, f := range Foretell(m, p, 1, 1) {
			if f.Ahead == 3*time.Hour {
				return f.WAPE.Value
			}
		}
		return 0
	}
	a, b := errors(with), errors(without)
	t.Logf("error of the 3 h forecast: %.3f with a clock, %.3f without", a, b)
	if a > 0.95*b {
		t.Errorf("error of the 3 h forecast: %.3f with a clock, %.3f without", a, b)
	}
	for _, h := range []time.Duration{Horizon12, Horizon48} {
		delays := func(m engagement.Model) float64 {
			c := Sweep(Adaptive, p.Test, 10, h, func(price float64) Plan { return Follow(engagement.DefaultAdaptive(m, price)) })
			var points []Summary
			for _, x := range c.Points {
				points = append(points, x.Summary)
			}
			return at(points, looks, 10, delay)
		}
		a, b := delays(with), delays(without)
		t.Logf("delay up to %s at 10 look-ups: %.2f min with a clock, %.2f without", h, a, b)
		if a > 1.01*b {
			t.Errorf("delay up to %s at 10 look-ups: %.2f min with a clock, %.2f without", h, a, b)
		}
	}
}
