package engagement

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// exactTail sums the binomial distribution in exact arithmetic.
func exactTail(n, k int, p float64) float64 {
	q := new(big.Float).SetPrec(200).SetFloat64(1)
	bigP := new(big.Float).SetPrec(200).SetFloat64(p)
	q.Sub(q, bigP)
	sum := new(big.Float).SetPrec(200)
	for i := k; i <= n; i++ {
		term := new(big.Float).SetPrec(200).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		for range i {
			term.Mul(term, bigP)
		}
		for range n - i {
			term.Mul(term, q)
		}
		sum.Add(sum, term)
	}
	f, _ := sum.Float64()
	return f
}

func TestUpperTail(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 120).Draw(t, "n")
		k := rapid.IntRange(0, n+1).Draw(t, "k")
		p := rapid.Float64Range(minRate, maxRate).Draw(t, "p")
		got, want := upperTail(n, k, p, 2), exactTail(n, k, p)
		if float64(k) <= float64(n)*p {
			if got != 1 {
				t.Fatalf("below the mean: %g", got)
			}
			return
		}
		if math.Abs(got-want) > 1e-9*want {
			t.Fatalf("P(X >= %d | %d, %g) = %g, want %g", k, n, p, got, want)
		}
		if (upperTail(n, k, p, chance) < chance) != (want < chance) {
			t.Fatalf("P(X >= %d | %d, %g) = %g: on the wrong side of %g", k, n, p, want, chance)
		}
	})
	if got := upperTail(1_000_000, 6_000, 0.005, chance); got >= chance {
		t.Errorf("of a million: %g", got)
	}
}

func BenchmarkJudge(b *testing.B) {
	var a Answer
	for i := range 50 {
		a.Add(PriorState{Observed: true}, i > 2)
	}
	for b.Loop() {
		a.Credibility(Baseline{Lookups: 1e5, Misses: 1e3}, Sample{Lookups: 200_000, Misses: 2_000})
	}
}
