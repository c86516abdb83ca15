package engagement

import (
	"math"
	"time"
)

// History is what was seen of one tweet over its life, for [Fit].
type History struct {
	CreatedAt time.Time
	Snapshots []Snapshot // in order of time; deltas are not used
}

// Fit learns a model from histories: kernel and prior of each counter, and of the total,
// the hour of the day where there is one, what corrects forecasts where that gains, and the
// widths of forecasts. A counter with too little in it (fewer than 20 tweets that got
// anything) keeps what base has. It is pure and deterministic.
func Fit(base Model, histories []History) Model {
	m := base
	histories = filled(histories)
	type learning struct {
		growth *Growth
		of     func(Metrics) (float64, bool)
	}
	var grown []learning
	fit := func(g *Growth, of func(Metrics) (float64, bool)) bool {
		growth, ok := fitGrowth(*g, histories, of)
		if ok {
			*g = growth
			grown = append(grown, learning{g, of})
		}
		return ok
	}
	total := func(x Metrics) (float64, bool) { return float64(x.Total()), x.Known() }
	if fit(&m.Engagement, total) {
		m.Clock, m.Mix = m.chooseClock(histories, total), Mix{}
	}
	for _, c := range Counters() {
		fit(&m.Counters[c], func(x Metrics) (float64, bool) {
			n, known := x.Of(c).Get()
			return float64(n), known
		})
	}
	type moment struct {
		tweet int
		age   time.Duration
	}
	var factors [NumHorizons]map[moment]float64 // of the total, which correct the counters too
	var learnt [NumHorizons][]forecastSample
	for _, l := range grown {
		g := l.growth
		for h, samples := range m.forecastSamples(*g, histories, l.of) {
			g.Scale[h] = calibrate(samples)
			for i := range samples {
				samples[i].more *= g.Scale[h]
			}
			if g == &m.Engagement {
				m.Mix[h], factors[h] = chooseMixture(samples), map[moment]float64{}
				for _, s := range samples {
					factors[h][moment{s.tweet, s.age}] = m.Mix[h].factor(s)
				}
			}
			for _, s := range samples {
				if f, ok := factors[h][moment{s.tweet, s.age}]; ok {
					s.more *= f
				}
				learnt[h] = append(learnt[h], s)
			}
		}
	}
	if bands := fitBands(learnt); bands != (Bands{}) {
		m.Bands, m.Borrowed = bands, false
	}
	return m
}

// filled returns the histories with look-ups where a stretch without change has only its
// ends, as far apart as the look-ups after it, or else before it. Samples are taken where
// a tweet was looked up, so those at which nothing had changed must count.
func filled(histories []History) []History {
	const most = 100 // in a stretch
	out := make([]History, len(histories))
	for i, h := range histories {
		out[i] = History{CreatedAt: h.CreatedAt, Snapshots: make([]Snapshot, 0, len(h.Snapshots))}
		for j, s := range h.Snapshots {
			out[i].Snapshots = append(out[i].Snapshots, s)
			if j+1 == len(h.Snapshots) || h.Snapshots[j+1].Metrics != s.Metrics {
				continue
			}
			var gap time.Duration
			switch end := h.Snapshots[j+1].At; {
			case j+2 < len(h.Snapshots):
				gap = h.Snapshots[j+2].At.Sub(end)
			case j > 0:
				gap = s.At.Sub(h.Snapshots[j-1].At)
			}
			stretch := h.Snapshots[j+1].At.Sub(s.At)
			if gap <= 0 {
				continue
			}
			n := min(stretch/gap, most)
			for k := time.Duration(1); k < n; k++ {
				between := s
				between.At = s.At.Add(stretch / n * k)
				out[i].Snapshots = append(out[i].Snapshots, between)
			}
		}
	}
	return out
}

const minHistories = 20

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
	if grown < minHistories {
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
