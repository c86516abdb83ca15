package engagement

import (
	"math"
	"slices"
	"time"
)

// forecastSample is a forecast whose outcome is known.
type forecastSample struct {
	tweet       int // number of its history
	posted      time.Time
	age         time.Duration
	count       float64 // then
	more, truth float64 // expected and real increment
	linear      float64 // increment at the speed of the last interval
}

// typical reports whether the tweet was neither very young nor tiny.
func (s forecastSample) typical() bool {
	return s.count >= 10 && s.age >= time.Hour && s.age <= 12*time.Hour
}

// Ages of samples: younger tweets give nothing to go by, and older ones gain little.
const (
	sampleFrom  = 10 * time.Minute
	sampleUntil = 48 * time.Hour
)

// forecastSamples replays histories, and compares what a model expects of a counter
// with what came.
func (m Model) forecastSamples(g Growth, histories []History, of func(Metrics) (float64, bool)) [NumHorizons][]forecastSample {
	var out [NumHorizons][]forecastSample
	for tweet, h := range histories {
		var (
			e            GrowthStats
			before, last time.Duration
			count        float64
		)
		if n := len(h.Snapshots); n > 0 {
			last = h.Snapshots[n-1].At.Sub(h.CreatedAt)
		}
		for i, s := range h.Snapshots {
			n, known := of(s.Metrics)
			age := s.At.Sub(h.CreatedAt)
			if !known || age <= before {
				continue
			}
			e = e.add(&m, g, h.CreatedAt, before, age, n-count)
			speed := (n - count) / (age - before).Hours()
			before, count = age, n
			if age < sampleFrom || age > sampleUntil {
				continue
			}
			size, _ := posterior(g.Prior, e)
			for k, ahead := range Horizons() {
				if age+ahead > last {
					continue
				}
				out[k] = append(out[k], forecastSample{
					tweet: tweet, posted: h.CreatedAt, age: age, count: n,
					more:   size * m.Clock.share(g.Kernel, h.CreatedAt, age, age+ahead),
					truth:  interpolate(h, i, age+ahead, of) - n,
					linear: speed * ahead.Hours(),
				})
			}
		}
	}
	return out
}

// interpolate reads a counter of a history at an age, from snapshot i on.
func interpolate(h History, i int, age time.Duration, of func(Metrics) (float64, bool)) float64 {
	var before, count float64
	for ; i < len(h.Snapshots); i++ {
		n, known := of(h.Snapshots[i].Metrics)
		at := float64(h.Snapshots[i].At.Sub(h.CreatedAt))
		if !known {
			continue
		}
		if at >= float64(age) {
			if at == before || before == 0 {
				return n
			}
			return count + (n-count)*(float64(age)-before)/(at-before)
		}
		before, count = at, n
	}
	return count
}

// calibrate returns the factor that makes the sum of what is expected of tweets that
// are neither very young nor tiny that of what came. It is 1 where there is too little
// to tell.
func calibrate(samples []forecastSample) float64 {
	const minSamples = 100
	var came, expected float64
	n := 0
	for _, l := range samples {
		if l.typical() {
			n++
			came += l.truth
			expected += l.more
		}
	}
	if n < minSamples || came <= 0 || expected <= 0 {
		return 1
	}
	return min(max(came/expected, 0.5), 2)
}

// minInBin is how many samples a band needs; with fewer it takes those of all
// ages of the same count, and then those of all.
const minInBin = 40

// fitBands takes the 9th and the 91st percentile (a little outside the 10th and the
// 90th, since the samples of one tweet are alike) of how far the truth was from what
// a calibrated forecast said (split-conformal prediction: Vovk, Gammerman, Shafer,
// "Algorithmic Learning in a Random World", 2005).
func fitBands(learnt [NumHorizons][]forecastSample) Bands {
	var b Bands
	for h, samples := range learnt {
		var (
			bins     [ageBins][countBins][]float64
			byCounts [countBins][]float64
			whole    []float64
		)
		for _, l := range samples {
			i, j := binOf(l.age, l.count)
			r := math.Log((max(l.truth, 0) + 0.5) / (l.more + 0.5))
			bins[i][j] = append(bins[i][j], r)
			byCounts[j] = append(byCounts[j], r)
			whole = append(whole, r)
		}
		for i := range bins {
			for j, r := range bins[i] {
				for _, wider := range [][]float64{byCounts[j], whole} {
					if len(r) < minInBin {
						r = wider
					}
				}
				if len(r) >= minInBin {
					b[h][i][j] = bandOf(slices.Clone(r))
				}
			}
		}
	}
	return b
}

func bandOf(r []float64) Band {
	slices.Sort(r)
	n := float64(len(r))
	low := max(int(math.Floor(0.09*(n+1)))-1, 0)
	high := min(int(math.Ceil(0.91*(n+1)))-1, len(r)-1)
	return Band{Low: r[low], High: r[high]}
}
