package engagement_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"gorgone/engagement"
)

// TestSurpriseIsTheTail compares the surprise with the share of draws of the same belief:
// a rate from a gamma distribution, and a Poisson count of that rate.
func TestSurpriseIsTheTail(t *testing.T) {
	t.Parallel()
	posted := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	m := engagement.DefaultModel()
	m.Forget, m.Drift = 0, 0 // so that the belief is the plain posterior
	likes := func(n int64) engagement.Metrics { return engagement.Metrics{Likes: engagement.Known(n)} }
	look := func(before engagement.Tracking, age time.Duration, n int64) engagement.Tracking {
		after := before
		after.ObservedAt, after.Metrics = posted.Add(age), likes(n)
		after.Activity = m.Learn(before, after)
		return after
	}
	first := look(engagement.Tracking{CreatedAt: posted}, 30*time.Minute, 12)
	k := m.Engagement.Kernel
	share := k.Share(40*time.Minute) - k.Share(30*time.Minute)
	shape, rate := m.Engagement.Prior.Shape+12, m.Engagement.Prior.Rate+k.Share(30*time.Minute)
	r := rand.New(rand.NewPCG(1, 2))
	const draws = 200_000
	counts := make([]int, draws)
	for i := range counts {
		counts[i] = poissonOf(r, gammaOf(r, shape)/rate*share)
	}
	for _, n := range []int64{1, 2, 3, 5, 8} {
		s, ok := m.Surprise(first, look(first, 40*time.Minute, 12+n))
		if !ok || s.Gained != n || s.Over != 10*time.Minute || math.Abs(s.Expected/(shape/rate*share)-1) > 0.001 {
			t.Fatalf("%d: %+v %v", n, s, ok)
		}
		reached := 0.0
		for _, c := range counts {
			if int64(c) >= n {
				reached++
			}
		}
		p := math.Pow(10, -s.Digits)
		if got := reached / draws; math.Abs(got-p) > 5*math.Sqrt(p*(1-p)/draws) {
			t.Errorf("%d or more: the chance is %.5f, drawn %.5f", n, p, got)
		}
	}
	// Far out, where nothing is drawn, each more engagement is less likely by about the ratio
	// of neighbouring terms of the distribution.
	far := func(n int64) float64 {
		s, _ := m.Surprise(first, look(first, 40*time.Minute, 12+n))
		return s.Digits
	}
	q := share / (rate + share)
	if got, want := far(2001)-far(2000), -math.Log10(q*(2000+shape)/2001); math.Abs(got-want) > 0.001 {
		t.Errorf("a step of %.5f digits, want %.5f", got, want)
	}
	for _, nothing := range []engagement.Tracking{{CreatedAt: posted}, look(first, 40*time.Minute, 12)} {
		if s, ok := m.Surprise(nothing, look(nothing, 50*time.Minute, 12)); ok {
			t.Errorf("%+v", s)
		}
	}
}

// gammaOf draws from a gamma distribution of a shape of 1 or more (Marsaglia and Tsang).
func gammaOf(r *rand.Rand, shape float64) float64 {
	d := shape - 1.0/3
	for {
		x := r.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// poissonOf counts exponential waits.
func poissonOf(r *rand.Rand, mean float64) (n int) {
	for at := r.ExpFloat64(); at < mean; at += r.ExpFloat64() {
		n++
	}
	return n
}
