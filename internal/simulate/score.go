package simulate

import (
	"math"
	"time"

	"gorgone/engagement"
)

// Score is what a schedule did to one tweet up to a horizon.
type Score struct {
	Lookups float64 // each a tweet that is paid for
	Days    float64 // UTC days on which it was looked up: what is paid for under a day pass
	Empty   float64 // look-ups that showed nothing new
	Events  float64 // engagements that came

	Delay float64 // ∫ (N - N̂) dt, engagement-seconds not seen
	Stale float64 // mean over time of (N - N̂)/max(N, 10)
	Views float64 // the same, weighed by the density of views
	Curve float64 // mean of |N - line between look-ups| / max(N(H), 10)

	Detect [NumCrossings]float64 // seconds from a crossing to the look-up that shows it; NaN: no crossing
}

// Score measures looks (ages in seconds, ascending, after [Tweet.Found]) up to a horizon,
// without the error of the curve.
func (t *Tweet) Score(looks []float64, horizon time.Duration) Score {
	return t.score(looks, horizon.Seconds(), false)
}

// score measures looks (ages in seconds, ascending) up to a horizon in seconds, and
// before them what was known when the tweet was collected.
func (t *Tweet) score(looks []float64, horizon float64, curve bool) Score {
	t.prepare()
	var s Score
	total := t.CountAt(horizon)
	s.Events = float64(total)
	crossed := t.crossings()
	for i, at := range crossed {
		s.Detect[i] = math.NaN()
		if at <= horizon {
			s.Detect[i] = horizon - at
		}
	}
	var (
		seen                    int
		age                     float64
		share, weight, vSh, vWt float64
		interval                = func(to float64, n int) {
			sh, wt, vs, vw := t.life.at(t, n, to)
			shown := float64(seen)
			s.Delay += to*float64(n-seen) - (t.life.sum[n] - t.life.sum[seen])
			s.Stale += sh - share - shown*(wt-weight)
			s.Views += vs - vSh - shown*(vw-vWt)
			share, weight, vSh, vWt = sh, wt, vs, vw
		}
	)
	show := func(at float64) {
		n := t.CountAt(at)
		interval(at, n)
		if curve {
			s.Curve += t.bend(seen, n, age, at)
		}
		for i, c := range crossed {
			if c > age && c <= at && c <= horizon {
				s.Detect[i] = at - c
			}
		}
		seen, age = n, at
	}
	if t.Found > 0 && t.Found <= horizon {
		show(t.Found)
	}
	var day time.Time
	for _, at := range looks {
		if at > horizon {
			break
		}
		before := seen
		show(at)
		s.Lookups++
		if d := engagement.UTCDay(t.createdAt().Add(seconds(at))); !d.Equal(day) {
			s.Days, day = s.Days+1, d
		}
		if seen == before {
			s.Empty++
		}
	}
	interval(horizon, total)
	if curve {
		s.Curve += t.bend(seen, seen, age, age) + t.flat(seen, total, age, horizon)
		s.Curve /= horizon * max(float64(total), relativeFloor)
	}
	s.Stale /= horizon
	return s
}

// bend is ∫ |N - line| between two look-ups that saw from and to events.
func (t *Tweet) bend(from, to int, age, at float64) float64 {
	if from == to || at <= age {
		return 0
	}
	slope := float64(to-from) / (at - age)
	area, last := 0.0, age
	for i := from; i <= to; i++ {
		until := at
		if i < to {
			until = t.Events[i]
		}
		area += absLinear(float64(i-from)-slope*(last-age), float64(i-from)-slope*(until-age), until-last)
		last = until
	}
	return area
}

// flat is ∫ (N - N̂) after the last look-up.
func (t *Tweet) flat(from, to int, _, at float64) float64 {
	return at*float64(to-from) - (t.life.sum[to] - t.life.sum[from])
}

// absLinear integrates |f| over a length, f linear from a to b.
func absLinear(a, b, length float64) float64 {
	if a*b >= 0 {
		return length * math.Abs(a+b) / 2
	}
	return length * (a*a + b*b) / (2 * math.Abs(a-b))
}

// Horizon12 and Horizon48 are the horizons of the comparison: the tiers' own
// window, and all that matters of nearly every tweet.
const (
	Horizon12 = 12 * time.Hour
	Horizon48 = 48 * time.Hour
)
