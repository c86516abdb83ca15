package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestBackOffByHand: the ages of look-ups, in hours, worked out from the plan's text.
func TestBackOffByHand(t *testing.T) {
	t.Parallel()
	hours := func(at ...float64) []float64 {
		for i := range at {
			at[i] *= 3600
		}
		return at
	}
	var busy []float64 // something new every half hour
	for i := range 400 {
		busy = append(busy, 1800*(float64(i)+0.5))
	}
	for _, c := range []struct {
		name    string
		events  []float64
		horizon float64
		want    []float64
	}{
		{"nothing ever changes", nil, 48 * 3600, hours(1, 3, 7, 31)},
		{"all look-ups show something", busy, 48 * 3600, hours(1, 2, 3, 4, 5, 6, 9, 12, 15, 18, 21, 24, 36, 48)},
		// Quiet at 1 h: two hours until 3 h, which shows the change; then 1 h and 2 h on,
		// and from 6 h on four times three hours.
		{"one change at 2.5 h", hours(2.5), 20 * 3600, hours(1, 3, 4, 6, 18)},
	} {
		got := BackOff(1)(&Tweet{Events: c.events}, c.horizon, nil)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestParentsAreDrawnTogether: a sample takes all tweets of a parent as often as one of
// them, and as many parents as there are.
func TestParentsAreDrawnTogether(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		parents := rapid.SliceOfN(rapid.IntRange(0, 5), 1, 30).Draw(t, "parents")
		tweets := make([]Tweet, len(parents))
		for i, p := range parents {
			tweets[i].Parent = p
		}
		weights := byParent(tweets).draw(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)))
		of := map[int]float64{}
		for i, p := range parents {
			if w, ok := of[p]; ok && w != weights[i] {
				t.Fatalf("tweets of parent %d count %v and %v times", p, w, weights[i])
			}
			of[p] = weights[i]
		}
		sum := 0.0
		for _, w := range of {
			sum += w
		}
		if int(sum) != len(of) {
			t.Fatalf("%v parents drawn of %d", sum, len(of))
		}
	})
}

func TestSpreadOverSeeds(t *testing.T) {
	t.Parallel()
	s := SpreadOf([]float64{2, math.NaN(), 4, 4, 4, 5, 5, 7, 9})
	if s.Seeds != 8 || s.Mean != 5 || s.Low != 2 || s.High != 9 || math.Abs(s.SD-math.Sqrt(32.0/7)) > 1e-12 {
		t.Errorf("%+v", s)
	}
}

// TestFewerCellsSameOptimum: the clairvoyant tries only cells with a new event. Its cost
// is that of the best of all sets of look-ups on the grid, tried one by one.
func TestFewerCellsSameOptimum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const cells, horizon = 8, 8 * 300.0
		// At 0 is the tweet itself; what comes of it comes later.
		tweet := Tweet{Events: clean(rapid.SliceOfN(rapid.Float64Range(0.001, horizon), 0, 10).Draw(t, "events"))}
		price := rapid.Float64Range(1, 4000).Draw(t, "price")
		cost := func(looks []float64) float64 {
			s := tweet.score(looks, horizon, false)
			return s.Delay + price*float64(len(looks))
		}
		best := math.Inf(1)
		for set := range 1 << (cells - 1) {
			var looks []float64
			for i := range cells - 1 {
				if set>>i&1 == 1 {
					looks = append(looks, 300*float64(i+1))
				}
			}
			best = min(best, cost(looks))
		}
		if got := cost(Clairvoyant(price)(&tweet, horizon, nil)); math.Abs(got-best) > 1e-6 {
			t.Fatalf("cost %v, the best of all sets %v", got, best)
		}
	})
}
