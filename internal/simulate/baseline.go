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

// Uniform spreads n look-ups evenly over the horizon.
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
// and look-ups by the density rule at a price (engagement-seconds a look-up). It is no
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

// BackOff is a common plan of schedulers that know no rate: hourly until 6 h, every
// 3 h until 24 h, every 12 h until 72 h, daily until 168 h, and each look-up without a
// change doubles the interval, eight times at most, until one shows a change. scale
// multiplies all intervals.
func BackOff(scale float64) Plan {
	const hour = 3600.0
	interval := func(age float64) float64 {
		switch {
		case age < 6*hour:
			return hour
		case age < 24*hour:
			return 3 * hour
		case age < 72*hour:
			return 12 * hour
		default:
			return 24 * hour
		}
	}
	return func(t *Tweet, horizon float64, looks []float64) []float64 {
		seen, quiet := t.CountAt(t.Found), 1.0
		for age := t.Found; age < 168*hour; {
			age += interval(age) * quiet * scale
			if age > horizon {
				return looks
			}
			looks = append(looks, age)
			n := t.CountAt(age)
			if n == seen {
				quiet = min(2*quiet, 8)
			} else {
				quiet = 1
			}
			seen = n
		}
		return looks
	}
}

// Clairvoyant knows every event and minimises delay + price · look-ups over look-ups on a
// grid of five minutes (a 576th of horizons beyond 48 h), exactly (dynamic
// programming). No schedule on that grid does better: a lower bound.
func Clairvoyant(price float64) Plan {
	return func(t *Tweet, horizon float64, looks []float64) []float64 {
		t.prepare()
		cell := max(300, horizon/576)
		// A look-up is best at the first cell after an event: anywhere later the event
		// only waits longer. Cells without a new event need not be tried.
		ages, count := []float64{0}, []int{t.CountAt(0)}
		last := int(horizon / cell)
		for i := 1; i <= last; i++ {
			at := float64(i) * cell
			if n := t.CountAt(at); n > count[len(count)-1] || i == last {
				ages, count = append(ages, at), append(count, n)
			}
		}
		// best[j] is the least cost of everything up to a look-up at ages[j].
		n := len(ages) - 1
		best, from := make([]float64, n+1), make([]int, n+1)
		for j := 1; j <= n; j++ {
			best[j] = math.Inf(1)
			paid := price
			if j == n {
				paid = 0 // the horizon ends the last interval, looked at or not
			}
			for i := range j {
				delay := ages[j]*float64(count[j]-count[i]) - (t.life.sum[count[j]] - t.life.sum[count[i]])
				if c := best[i] + delay + paid; c < best[j] {
					best[j], from[j] = c, i
				}
			}
		}
		for i := from[n]; i > 0; i = from[i] {
			looks = append(looks, ages[i])
		}
		slices.Reverse(looks)
		return looks
	}
}
