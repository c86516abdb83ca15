package engagement

import "math"

// Sample counts look-ups of tweets that should exist, and how many of those tweets the
// answer lacked.
type Sample struct{ Lookups, Misses int }

func (s *Sample) add(found bool) {
	s.Lookups++
	if !found {
		s.Misses++
	}
}

func (s Sample) plus(o Sample) Sample {
	return Sample{Lookups: s.Lookups + o.Lookups, Misses: s.Misses + o.Misses}
}

// Baseline counts recent look-ups, by all replicas, of tweets that should exist, and
// how many found them gone; older look-ups weigh less. The zero value is ready to use.
type Baseline struct{ Lookups, Misses float64 }

const (
	// minSample is the smallest number of tweets by which an answer can be told from a
	// fault.
	minSample = 10

	// chance is the probability with which an honest provider is taken for a faulty
	// one, which costs a delay and no more.
	chance = 1e-4

	// The rate begins as if 5 of 1,000 tweets had gone between two look-ups, and never
	// falls below that. It never exceeds 50 of 1,000, however many the provider lacks:
	// a fault that grows slowly must not become normal.
	priorLookups, priorMisses = 1000, 5
	minRate, maxRate          = 0.005, 0.05
)

// MissRate is the share of the tweets present at one look-up that are gone at the next.
func (n Baseline) MissRate() float64 {
	lookups, misses := max(n.Lookups, 0), max(n.Misses, 0)
	return min(max((misses+priorMisses)/(lookups+priorLookups), minRate), maxRate)
}

// exceededBy reports whether the sample has more misses than chance explains.
func (n Baseline) exceededBy(s Sample) bool {
	return s.Lookups >= minSample && upperTail(s.Lookups, s.Misses, n.MissRate(), chance) < chance
}

// upperTail is the chance that of n independent look-ups, each a miss with
// probability p, at least k are misses: the upper tail of the binomial
// distribution. It stops adding, and returns what it has, when that reaches limit.
func upperTail(n, k int, p, limit float64) float64 {
	if float64(k) <= float64(n)*p {
		return 1 // at least about a half; the terms below must be falling ones
	}
	if k > n {
		return 0
	}
	term := math.Exp(logChoose(n, k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
	sum := term
	for i := k; i < n && sum < limit && term > sum*1e-12; i++ {
		term *= float64(n-i) / float64(i+1) * p / (1 - p)
		sum += term
	}
	return sum
}

// logChoose is the logarithm of n over k.
func logChoose(n, k int) float64 {
	lg := func(x int) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return lg(n) - lg(k) - lg(n-k)
}
