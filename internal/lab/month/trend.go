package month

import (
	"math"
	"slices"
)

const (
	// growthShare is how much a measure may grow over what is judged, as a share of its
	// median, before it counts.
	growthShare = 0.10

	// rising is the one-sided 99% quantile of the normal distribution: a measure without a
	// trend seems to rise once in a hundred times.
	rising = 2.326
)

// trend is how a measure went, by a value a day.
type trend struct {
	Median float64 `json:"median"`
	Growth float64 `json:"growth"` // over the time, by the Theil-Sen slope
	Z      float64 `json:"z"`      // of the Mann-Kendall test
}

// trendOf returns the trend of equally spaced values: the Theil-Sen estimator, which is the
// median of the slopes between all pairs, and the Mann-Kendall test with its correction for
// ties, which is normal enough from six values on. Neither minds a few values that stand out.
func trendOf(values []float64) trend {
	n := len(values)
	if n < 2 {
		return trend{}
	}
	var slopes []float64
	s := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			d := values[j] - values[i]
			slopes = append(slopes, d/float64(j-i))
			switch {
			case d > 0:
				s++
			case d < 0:
				s--
			}
		}
	}
	variance := float64(n*(n-1)*(2*n+5)) / 18
	sorted := slices.Sorted(slices.Values(values))
	for i := 0; i < n; {
		j := i
		for j < n && sorted[j] == sorted[i] {
			j++
		}
		t := j - i
		variance -= float64(t*(t-1)*(2*t+5)) / 18
		i = j
	}
	out := trend{Median: median(values), Growth: median(slopes) * float64(n-1)}
	switch {
	case variance <= 0 || s == 0:
	case s > 0:
		out.Z = float64(s-1) / math.Sqrt(variance)
	default:
		out.Z = float64(s+1) / math.Sqrt(variance)
	}
	return out
}

// rises reports whether the trend is upwards, beyond chance and by more than a tenth of the
// median and the slack.
func (t trend) rises(slack float64) bool {
	return t.Z > rising && t.Growth > max(slack, growthShare*t.Median)
}

// median of values; 0 of none.
func median(values []float64) float64 {
	n := len(values)
	if n == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}
