package engagement

import (
	"math"
	"time"
)

// How a clock is learnt: a tweet counts for clockEvents engagements at most, as its
// own are alike; clockPseudo engagements an hour hold the factors at 1 where little
// was seen; a round moves each factor towards what came over what was expected.
const (
	clockEvents = 10
	clockPseudo = 20
	clockRounds = 6
	clockUntil  = 48 * time.Hour
)

// clockTweet is a history cut at the hours of the clock.
type clockTweet struct {
	came   float64
	pieces []clockPiece
}

// clockPiece is the part of the time between two snapshots that lies in one hour.
type clockPiece struct {
	hour  int
	share float64 // ΔK
	came  float64 // in the whole interval
	last  bool    // of the interval
}

// cutHistories prepares histories for [fitClock]. Those of which nothing came are left
// out.
func cutHistories(k Kernel, histories []History, of func(Metrics) (float64, bool)) []clockTweet {
	var tweets []clockTweet
	hours := Clock{}
	for h := range hours {
		hours[h] = float64(h)
	}
	for _, history := range histories {
		var t clockTweet
		var before time.Duration
		count := 0.0
		for _, s := range history.Snapshots {
			n, known := of(s.Metrics)
			age := s.At.Sub(history.CreatedAt)
			if !known || age <= before {
				continue
			}
			if age > clockUntil {
				break
			}
			came := max(n-count, 0)
			for at := before; at < age; {
				hour, end := hours.hour(history.CreatedAt, at)
				end = min(end, age)
				t.pieces = append(t.pieces, clockPiece{hour: int(hour), share: k.Share(end) - k.Share(at), came: came, last: end == age})
				at = end
			}
			t.came += came
			before, count = age, n
		}
		if t.came > 0 {
			tweets = append(tweets, t)
		}
	}
	return tweets
}

// fitClock learns the factors by hour: what came in an hour over what the kernel and
// the clock so far expect there, each tweet by its own size. What came between two
// snapshots is laid on their hours as the clock so far has it (expectation
// maximisation), so snapshots hours apart still tell. Neighbouring hours are smoothed
// 1:2:1.
func fitClock(tweets []clockTweet) Clock {
	var c Clock
	for h := range c {
		c[h] = 1
	}
	for range clockRounds {
		var came, expected [24]float64
		for _, t := range tweets {
			total := 0.0
			for _, p := range t.pieces {
				total += p.share * c[p.hour]
			}
			if total <= 0 {
				continue
			}
			weight := min(t.came, clockEvents) / t.came
			for first := 0; first < len(t.pieces); {
				end, within := first, 0.0
				for {
					p := t.pieces[end]
					within += p.share * c[p.hour]
					end++
					if p.last {
						break
					}
				}
				for _, p := range t.pieces[first:end] {
					part := p.share * c[p.hour]
					expected[p.hour] += weight * t.came * part / total
					if within > 0 {
						came[p.hour] += weight * p.came * part / within
					}
				}
				first = end
			}
		}
		mean := 0.0
		var next Clock
		for h := range c {
			smooth := func(x *[24]float64) float64 { return (x[(h+23)%24] + 2*x[h] + x[(h+1)%24]) / 4 }
			next[h] = c[h] * (smooth(&came) + clockPseudo) / (smooth(&expected) + clockPseudo)
			mean += next[h] / 24
		}
		for h := range next {
			next[h] /= mean
		}
		c = next
	}
	return c
}

// clockGain is by how much a clock must lessen the error of forecasts to be used.
const clockGain = 0.01

// chooseClock learns the clock of a model's zone, and raises it to the power of 0, ½
// or 1: the one with the least error of the 3 h forecast in two-fold cross-validation.
// Half of the tweets learn and the other half are forecast, and the other way round.
// It returns no clock unless that gains 1% over none, and gains on either half.
func (m Model) chooseClock(histories []History, of func(Metrics) (float64, bool)) Clock {
	powers := [...]float64{0, 0.5, 1}
	var halves [2][]History
	for i, h := range histories {
		halves[i%2] = append(halves[i%2], h)
	}
	var misses [len(powers)][2]float64
	for half := range halves {
		learnt := fitClock(cutHistories(m.Engagement.Kernel, halves[1-half], of))
		for i, p := range powers {
			m.Clock = learnt.power(p)
			misses[i][half] = missed(m.forecastSamples(m.Engagement, halves[half], of)[1])
		}
	}
	sum := func(i int) float64 { return misses[i][0] + misses[i][1] }
	best := 0
	for i := range powers {
		gains := sum(i) < (1-clockGain)*sum(0) && misses[i][0] < misses[0][0] && misses[i][1] < misses[0][1]
		if gains && sum(i) < (1-clockGain/2)*sum(best) {
			best = i
		}
	}
	return fitClock(cutHistories(m.Engagement.Kernel, histories, of)).power(powers[best])
}

// missed is the absolute error of forecasts, once scaled to be right on the whole, of
// tweets that are neither very young nor tiny.
func missed(samples []forecastSample) (sum float64) {
	scale := calibrate(samples)
	for _, s := range samples {
		if s.typical() {
			sum += math.Abs(scale*s.more - s.truth)
		}
	}
	return sum
}
