package simulate

import (
	"math"
	"slices"
	"sort"

	"gorgone/engagement"
)

// Grid is a plan that looks at the same ages (seconds) whatever the tweet.
func Grid(ages []float64) Plan {
	return func(_ *Tweet, horizon float64, looks []float64) []float64 {
		for _, at := range ages {
			if at > horizon {
				break
			}
			looks = append(looks, at)
		}
		return looks
	}
}

// Uniform spreads n looks evenly over the horizon.
func Uniform(n float64) Plan {
	return func(_ *Tweet, horizon float64, looks []float64) []float64 {
		gap := horizon / n
		for at := gap; at <= horizon+1e-6; at += gap {
			looks = append(looks, min(at, horizon))
		}
		return looks
	}
}

// AgeOnly is the best schedule that knows nothing of a tweet but its age, for a
// kernel: n looks at equal steps of ∫ √K' (the density rule), the last at the
// horizon.
func AgeOnly(k engagement.Kernel, n float64, horizon float64) Plan {
	const cells = 4096
	// √K' is far from even: integrate over equal steps of ln t.
	ages, mass := make([]float64, cells+1), make([]float64, cells+1)
	first := 1.0
	for i := 1; i <= cells; i++ {
		ages[i] = first * math.Pow(horizon/first, float64(i)/cells)
		mid := (ages[i] + ages[i-1]) / 2
		mass[i] = mass[i-1] + math.Sqrt(k.Rate(seconds(mid)))*(ages[i]-ages[i-1])
	}
	var at []float64
	for j := 1.0; j <= n+1e-9; j++ {
		want := mass[cells] * j / n
		i := min(sort.SearchFloat64s(mass, want), cells)
		if i == 0 {
			continue
		}
		f := (want - mass[i-1]) / (mass[i] - mass[i-1])
		at = append(at, ages[i-1]+f*(ages[i]-ages[i-1]))
	}
	return Grid(at)
}

// Oracle knows the true rate of each tweet, smoothed over ± max(6 min, 0.2 age),
// and looks by the density rule at a price (engagement-seconds a look). It is no
// bound, but what a perfect estimate of the rate would reach.
func Oracle(price float64) Plan {
	return func(t *Tweet, horizon float64, looks []float64) []float64 {
		const cell = 60.0
		mass, root := 0.0, math.Sqrt(2*price)
		for at := cell / 2; at < horizon; at += cell {
			half := max(360, 0.2*at)
			from := max(at-half, 0)
			n := t.CountAt(at+half) - t.CountAt(from)
			mass += math.Sqrt(float64(n)/(at+half-from)) * cell
			for mass >= root {
				mass -= root
				looks = append(looks, at+cell/2)
			}
		}
		return slices.Compact(looks)
	}
}

// Clairvoyant knows every event and minimises delay + price · looks over looks on a
// grid of five minutes, exactly (dynamic programming). No schedule on that grid
// does better: a lower bound.
func Clairvoyant(price float64) Plan {
	return func(t *Tweet, horizon float64, looks []float64) []float64 {
		t.prepare()
		const cell = 300.0
		n := int(horizon / cell)
		count := make([]int, n+1)
		for i := range count {
			count[i] = t.CountAt(float64(i) * cell)
		}
		// best[i] is the least cost of everything up to a look at cell i.
		best, from := make([]float64, n+1), make([]int, n+1)
		delay := func(i, j int) float64 {
			at := float64(j) * cell
			return at*float64(count[j]-count[i]) - (t.life.sum[count[j]] - t.life.sum[count[i]])
		}
		for j := 1; j <= n; j++ {
			best[j] = math.Inf(1)
			paid := price
			if j == n {
				paid = 0 // the horizon ends the last interval, looked at or not
			}
			for i := range j {
				if c := best[i] + delay(i, j) + paid; c < best[j] {
					best[j], from[j] = c, i
				}
			}
		}
		for i := from[n]; i > 0; i = from[i] {
			looks = append(looks, float64(i)*cell)
		}
		slices.Reverse(looks)
		return looks
	}
}
