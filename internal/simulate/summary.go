package simulate

import (
	"math"
	"slices"
)

// Summary is the scores of many tweets in the measures of the comparison.
type Summary struct {
	Lookups float64 // paid tweets per tweet
	Days    float64 // UTC days with a look-up, per tweet
	Empty   float64 // share of look-ups that showed nothing new
	Delay   float64 // minutes per engagement: ∫(N-N̂) / ΣN
	Stale   float64 // mean relative staleness, 0 to 1
	Views   float64 // the same, weighed by views
	Curve   float64 // mean error of the curve between look-ups

	DetectMean [NumCrossings]float64 // minutes
	Detect90   [NumCrossings]float64 // minutes, 90th percentile
	Crossed    [NumCrossings]int     // tweets that had the crossing
}

// Summarize sums scores up. weights, if not nil, says how often each counts (a
// bootstrap sample).
func Summarize(scores []Score, weights []float64) Summary {
	var (
		s                                Summary
		n, looks, days, empty, evts, dly float64
		detected                         [NumCrossings][]float64
	)
	for i := range scores {
		w := 1.0
		if weights != nil {
			w = weights[i]
			if w == 0 {
				continue
			}
		}
		x := &scores[i]
		n += w
		looks += w * x.Lookups
		days += w * x.Days
		empty += w * x.Empty
		evts += w * x.Events
		dly += w * x.Delay
		s.Stale += w * x.Stale
		s.Views += w * x.Views
		s.Curve += w * x.Curve
		for k, d := range x.Detect {
			if !math.IsNaN(d) {
				for range int(w) {
					detected[k] = append(detected[k], d/60)
				}
			}
		}
	}
	s.Lookups, s.Days, s.Empty = looks/n, days/n, empty/max(looks, 1)
	s.Delay = dly / max(evts, 1) / 60
	s.Stale, s.Views, s.Curve = s.Stale/n, s.Views/n, s.Curve/n
	for k, d := range detected {
		s.Crossed[k] = len(d)
		s.DetectMean[k], s.Detect90[k] = math.NaN(), math.NaN()
		if len(d) == 0 {
			continue
		}
		slices.Sort(d)
		var sum float64
		for _, x := range d {
			sum += x
		}
		s.DetectMean[k] = sum / float64(len(d))
		s.Detect90[k] = d[min(int(0.9*float64(len(d))), len(d)-1)]
	}
	return s
}
