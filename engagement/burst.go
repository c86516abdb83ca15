package engagement

import (
	"math"
	"time"
)

// Surprise says how far what a look-up showed is beyond what the model expected of it.
type Surprise struct {
	Gained   int64         // engagements since the look-up before
	Expected float64       // engagements expected in that time
	Over     time.Duration // that time
	Digits   float64       // -log10 of the chance of so many or more
}

// Surprise compares what came between two look-ups with what was expected after the first.
// The count is negative binomial, a Poisson count whose rate is known as well as the
// look-ups up to then and the drift since tell: of a tweet that was seen twice much may
// come, of one that was followed for hours little more than expected. It is false when
// nothing was seen before, and when nothing came.
func (m Model) Surprise(before, after Tracking) (s Surprise, ok bool) {
	a := before.Activity
	from, to := a.At.Sub(before.CreatedAt), after.Activity.At.Sub(before.CreatedAt)
	s.Gained, s.Over = after.Metrics.Total()-before.Metrics.Total(), to-from
	if a.At.IsZero() || from <= 0 || to <= from || !before.Metrics.Known() || !after.Metrics.Known() || s.Gained <= 0 {
		return Surprise{}, false
	}
	prior := m.prior(a.Expected)
	share := m.Clock.share(m.Engagement.Kernel, before.CreatedAt, from, to)
	faded := a.Engagement.add(&m, Growth{Kernel: m.Engagement.Kernel, Prior: prior}, before.CreatedAt, from, to, 0)
	shape, rate := prior.Shape+faded.Seen, prior.Rate+faded.Exposure-share
	s.Expected = shape / rate * share
	s.Digits = -lnNegativeBinomialTail(float64(s.Gained), shape, share/(rate+share)) / math.Ln10
	return s, isFinite(s.Expected) && isFinite(s.Digits)
}

// lnNegativeBinomialTail is the logarithm of the chance of n or more, n ≥ 1: the
// regularized incomplete beta function I_q(n, shape).
func lnNegativeBinomialTail(n, shape, q float64) float64 {
	lgamma := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
	front := lgamma(n+shape) - lgamma(n) - lgamma(shape) + n*math.Log(q) + shape*math.Log1p(-q)
	if q < (n+1)/(n+shape+2) {
		return min(front+math.Log(betaFraction(n, shape, q)/n), 0)
	}
	return math.Log1p(-min(math.Exp(front+math.Log(betaFraction(shape, n, 1-q)/shape)), 1))
}

// betaFraction is the continued fraction of the incomplete beta function (modified
// Lentz), which converges fast for x < (a+1)/(a+b+2).
func betaFraction(a, b, x float64) float64 {
	const tiny, enough, rounds = 1e-300, 1e-12, 500
	safe := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/safe(1-(a+b)*x/(a+1))
	sum := d
	for i := 1.0; i <= rounds; i++ {
		even := i * (b - i) * x / ((a + 2*i - 1) * (a + 2*i))
		d = 1 / safe(1+even*d)
		c = safe(1 + even/c)
		sum *= d * c
		odd := -(a + i) * (a + b + i) * x / ((a + 2*i) * (a + 2*i + 1))
		d = 1 / safe(1+odd*d)
		c = safe(1 + odd/c)
		sum *= d * c
		if math.Abs(d*c-1) < enough {
			break
		}
	}
	return sum
}
