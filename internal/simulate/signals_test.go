package simulate

import (
	"math"
	"testing"

	"gorgone/engagement"
)

// TestSignalsSave: quotes at a recall of 0.3 save 15% of the paid look-ups and more for the same
// delay, and none at all change nothing.
func TestSignalsSave(t *testing.T) {
	t.Parallel()
	p := Synthetic(400, 1)
	policy := func(price float64) engagement.Policy {
		return engagement.DefaultAdaptive(engagement.DefaultModel(), price)
	}
	base := Signals{}.Sweep("base", p.Test, 10, Horizon12, policy)
	plain := Run(p.Test, Follow(policy(base.Points[0].Price)), Horizon12, false)
	for i, s := range base.Points[0].Scores {
		if s.Lookups != plain[i].Lookups || math.Abs(s.Delay-plain[i].Delay) > 1e-6*plain[i].Delay || s.Empty != plain[i].Empty {
			t.Fatalf("tweet %d without signals: %+v, want %+v", i, s, plain[i])
		}
	}
	for recall, most := range map[float64]float64{0.1: 0.97, 0.3: 0.85} {
		share, enough := LooksForDelay(base, Signals{Recall: recall, Counts: true}.Sweep("quotes", p.Test, 10, Horizon12, policy), p.Test, 10, 20, 1)
		if !enough && !(share.Value <= most) {
			t.Errorf("recall %g: %+v of the look-ups, want at most %g", recall, share, most)
		}
	}
}

// TestSignalsAreNested: at a higher recall the same events are signals, and more; about as many
// as the recall says.
func TestSignalsAreNested(t *testing.T) {
	t.Parallel()
	p := Synthetic(400, 1)
	events, few, many := 0, 0, 0
	for i := range p.Test {
		tweet := &p.Test[i]
		more := make(map[float64]bool)
		for _, at := range (Signals{Recall: 0.5}).seen(tweet) {
			more[at] = true
			many++
		}
		for _, at := range (Signals{Recall: 0.2}).seen(tweet) {
			few++
			if !more[at] {
				t.Fatalf("a signal at recall 0.2 is none at 0.5")
			}
		}
		events += len(tweet.Events)
	}
	for recall, n := range map[float64]int{0.2: few, 0.5: many} {
		if share := float64(n) / float64(events); share < recall-0.03 || share > recall+0.03 {
			t.Errorf("%.3f of the events are signals, want %g", share, recall)
		}
	}
}
