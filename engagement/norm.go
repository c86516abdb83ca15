package engagement

import "math"

// Sample counts looks at tweets that ought to be there, and how many of those the
// answer lacked.
type Sample struct{ Looks, Misses int }

func (s *Sample) add(found bool) {
	s.Looks++
	if !found {
		s.Misses++
	}
}

func (s Sample) plus(o Sample) Sample {
	return Sample{Looks: s.Looks + o.Looks, Misses: s.Misses + o.Misses}
}

// Norm is how many looks at tweets that ought to be there found them gone lately,
// over all replicas; older ones weigh less. The zero value knows of none.
type Norm struct{ Looks, Misses float64 }

const (
	// minSample is from how many tweets on an answer can be told from a fault by
	// numbers alone.
	minSample = 10

	// chance is how seldom an honest provider is taken for a faulty one, which
	// costs a delay and no more.
	chance = 1e-4

	// The norm begins as if 5 of 1,000 tweets had gone between two looks, and never
	// counts as less. It is never more than 50 of 1,000 either, however many the
	// provider lacks: what it is taught slowly must not become normal.
	priorLooks, priorMisses = 1000, 5
	minRate, maxRate        = 0.005, 0.05
)

// Rate is the share of the tweets seen by the look before that are gone at a look.
func (n Norm) Rate() float64 {
	looks, misses := max(n.Looks, 0), max(n.Misses, 0)
	return min(max((misses+priorMisses)/(looks+priorLooks), minRate), maxRate)
}

// exceededBy reports whether so many misses are more than chance explains.
func (n Norm) exceededBy(s Sample) bool {
	return s.Looks >= minSample && upperTail(s.Looks, s.Misses, n.Rate(), chance) < chance
}

// upperTail is the chance that of n independent looks, each a miss with
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
