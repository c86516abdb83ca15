package engagement

import (
	"math"
	"slices"
	"time"
)

// History is what was seen of one tweet over its life, for [Fit].
type History struct {
	CreatedAt time.Time
	Snapshots []Snapshot // in order of time; deltas are not used
}

// Fit learns a model from histories: kernel and prior of each counter, and of the
// total, and the widths of forecasts. A counter with too little in it (fewer than
// 20 tweets that got anything) keeps what base has. It is pure and deterministic.
func Fit(base Model, histories []History) Model {
	m := base
	var learnt [NumHorizons][]lesson
	fit := func(g *Growth, of func(Metrics) (float64, bool)) {
		grown, ok := fitGrowth(*g, histories, of)
		if !ok {
			return
		}
		*g = grown
		for h, lessons := range m.lessons(*g, histories, of) {
			g.Scale[h] = calibrate(lessons)
			for _, l := range lessons {
				l.more *= g.Scale[h]
				learnt[h] = append(learnt[h], l)
			}
		}
	}
	for _, c := range Counters() {
		fit(&m.Counters[c], func(x Metrics) (float64, bool) {
			n, known := x.Of(c).Get()
			return float64(n), known
		})
	}
	fit(&m.Engagement, func(x Metrics) (float64, bool) { return float64(x.Total()), x.Known() })
	if bands := fitBands(learnt); bands != (Bands{}) {
		m.Bands = bands
	}
	return m
}

// Quartiles returns the 25th percentile of the total engagement at each of a number
// of looks, every so often from creation on, for [SmartStop].
func Quartiles(histories []History, every time.Duration, looks int) []float64 {
	var q []float64
	for i := range looks {
		age := time.Duration(i+1) * every
		var totals []float64
		for _, h := range histories {
			if n, ok := h.totalAt(age); ok {
				totals = append(totals, n)
			}
		}
		if len(totals) == 0 {
			break
		}
		slices.Sort(totals)
		q = append(q, totals[len(totals)/4])
	}
	return q
}

// totalAt returns the total engagement last seen at an age, if it was looked at
// then or later.
func (h History) totalAt(age time.Duration) (total float64, ok bool) {
	at := h.CreatedAt.Add(age)
	for _, s := range h.Snapshots {
		if s.At.After(at) {
			return total, true
		}
		total = float64(s.Metrics.Total())
		ok = !s.At.Before(at)
	}
	return total, ok
}

const fewest = 20

// fitGrowth fits the kernel to the mean share seen by age, and the prior to mean
// and variance of the sizes (method of moments).
func fitGrowth(base Growth, histories []History, of func(Metrics) (float64, bool)) (Growth, bool) {
	ages := fitAges()
	share := make([]float64, len(ages)) // sum over tweets of the share by each age
	var sizes []float64
	grown := 0.0
	for _, h := range histories {
		counts, ok := h.curve(ages, of)
		if !ok {
			continue
		}
		last := counts[len(counts)-1]
		sizes = append(sizes, last)
		if last < 1 {
			continue
		}
		grown++
		for i, n := range counts {
			share[i] += n / last
		}
	}
	if grown < fewest {
		return base, false
	}
	for i := range share {
		share[i] /= grown
	}
	kernel := fitKernel(base.Kernel, ages, share)
	return Growth{Kernel: kernel, Prior: fitPrior(sizes, kernel.Share(ages[len(ages)-1]))}, true
}

// fitAges are the ages at which the mean curve is taken: 10 min to 48 h, evenly in
// the logarithm.
func fitAges() []time.Duration {
	const n = 24
	ages := make([]time.Duration, n)
	for i := range ages {
		ages[i] = time.Duration(float64(10*time.Minute) * math.Pow(288, float64(i)/(n-1)))
	}
	return ages
}

// curve interpolates a history at ages. It has to reach the last one, less a tenth.
func (h History) curve(ages []time.Duration, of func(Metrics) (float64, bool)) ([]float64, bool) {
	counts := make([]float64, len(ages))
	var age, count float64 // of the last snapshot
	i := 0
	for _, s := range h.Snapshots {
		n, known := of(s.Metrics)
		at := float64(s.At.Sub(h.CreatedAt))
		if !known || at <= age {
			continue
		}
		for i < len(ages) && float64(ages[i]) <= at {
			counts[i] = count + (n-count)*(float64(ages[i])-age)/(at-age)
			i++
		}
		age, count = at, n
	}
	if age < 0.9*float64(ages[len(ages)-1]) {
		return nil, false
	}
	for ; i < len(ages); i++ {
		counts[i] = count
	}
	return counts, true
}

// fitKernel finds median and sigma by least squares on the distribution function,
// conditional on the last age, by a coarse to fine search.
func fitKernel(base Kernel, ages []time.Duration, share []float64) Kernel {
	miss := func(logMedian, sigma float64) float64 {
		k := Kernel{Median: time.Duration(math.Exp(logMedian)), Sigma: sigma}
		whole := k.Share(ages[len(ages)-1])
		var sum float64
		for i, age := range ages {
			d := k.Share(age)/whole - share[i]
			sum += d * d
		}
		return sum
	}
	m, s := math.Log(float64(base.Median)), base.Sigma
	stepM, stepS := 2.0, 1.0
	best := miss(m, s)
	for stepM > 1e-3 {
		moved := false
		for _, d := range [4][2]float64{{stepM, 0}, {-stepM, 0}, {0, stepS}, {0, -stepS}} {
			tm := min(max(m+d[0], math.Log(float64(time.Minute))), math.Log(float64(14*24*time.Hour)))
			ts := min(max(s+d[1], 0.3), 5)
			if got := miss(tm, ts); got < best {
				best, m, s, moved = got, tm, ts, true
			}
		}
		if !moved {
			stepM, stepS = stepM/2, stepS/2
		}
	}
	return Kernel{Median: time.Duration(math.Exp(m)), Sigma: s}
}

// fitPrior matches mean and variance of the sizes, of which a share was seen.
func fitPrior(sizes []float64, share float64) Prior {
	var mean, square float64
	for _, n := range sizes {
		mean += n / share
	}
	mean /= float64(len(sizes))
	for _, n := range sizes {
		square += (n/share - mean) * (n/share - mean)
	}
	variance := square / float64(len(sizes))
	// A few large tweets make the variance anything; outside these bounds the
	// moments say more about them than about what to believe of a tweet.
	shape := min(max(mean*mean/max(variance, 1e-9), 0.3), 1)
	return Prior{Shape: shape, Rate: shape / max(mean, 1e-3)}
}
