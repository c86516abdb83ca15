package engagement

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// lumpyHistories draws tweets whose engagement comes in lumps, every one to three hours of
// each tweet's own, of which all grow by the same factor from one age to another: the last
// rate misleads, and the count tells what comes. They are looked up every hour.
func lumpyHistories(n int, seed uint64) []History {
	out := make([]History, n)
	for i := range out {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		size, lump, phase := 100+900*r.Float64(), 1+2*r.Float64(), r.Float64()
		h := History{CreatedAt: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Float64() * float64(24*time.Hour)))}
		for age := time.Hour; age <= 49*time.Hour; age += time.Hour {
			until := max((math.Floor(age.Hours()/lump+phase)-phase)*lump, 0.5)
			h.Snapshots = append(h.Snapshots, Snapshot{At: h.CreatedAt.Add(age), Metrics: Metrics{Likes: Known(int64(size * math.Sqrt(until/49)))}})
		}
		out[i] = h
	}
	return out
}

// errorOf is Σ|error| / Σ of what came over the forecasts of a model, made as a reader makes
// them, of tweets of 1 to 12 hours and 10 engagements; how often the truth was within the
// interval; and how much was expected in all over what came.
func errorOf(t *testing.T, m Model, histories []History, horizon int) (wape, inside, over float64) {
	t.Helper()
	var missed, came, expected, n float64
	ahead := Horizons()[horizon]
	for _, h := range histories {
		k := Tracking{CreatedAt: h.CreatedAt}
		for i, s := range h.Snapshots {
			next := k
			next.ObservedAt, next.Metrics = s.At, s.Metrics
			next.Activity = m.Learn(k, next)
			k = next
			age := s.At.Sub(h.CreatedAt)
			later := slices.IndexFunc(h.Snapshots, func(s Snapshot) bool { return !s.At.Before(k.ObservedAt.Add(ahead)) })
			if i == 0 || age < time.Hour || age > 12*time.Hour || s.Metrics.Total() < 10 || later < 0 {
				continue
			}
			f, ok := m.Forecast(k, &h.Snapshots[i-1])
			if !ok {
				t.Fatal("no forecast")
			}
			now, truth, e := float64(s.Metrics.Total()), float64(h.Snapshots[later].Metrics.Total()), f.Horizons[horizon].Engagement
			if *f.Horizons[horizon].Counts[Likes] != e {
				t.Fatalf("likes %+v are all there is of the total %+v", f.Horizons[horizon].Counts[Likes], e)
			}
			missed += math.Abs(e.Mean - truth)
			came += truth - now
			expected += e.Mean - now
			n++
			if truth >= e.Low && truth <= e.High {
				inside++
			}
		}
	}
	return missed / came, inside / n, expected / came
}

// TestAMixtureIsLearntWhereItGains: on tweets it was not learnt from, against counts that
// are known; from too few there is none.
func TestAMixtureIsLearntWhereItGains(t *testing.T) {
	t.Parallel()
	m := Fit(DefaultModel(), lumpyHistories(240, 1))
	kernel := m
	kernel.Mix = Mix{}
	fresh := lumpyHistories(100, 2)
	for h, ahead := range Horizons() {
		if m.Mix[h] == (Mixture{}) {
			t.Errorf("%s ahead: no mixture", ahead)
		}
		with, inside, over := errorOf(t, m, fresh, h)
		without, _, _ := errorOf(t, kernel, fresh, h)
		t.Logf("%s ahead, weights %v: error %.3f, of the kernel alone %.3f; %.2f in the interval; %.2f of what came", ahead, m.Mix[h].Weights, with, without, inside, over)
		if !(with < 0.97*without) {
			t.Errorf("%s ahead: error %.3f, of the kernel alone %.3f", ahead, with, without)
		}
		if inside < 0.7 || inside > 0.95 {
			t.Errorf("%s ahead: %.2f are in the 80%% interval", ahead, inside)
		}
		if over < 0.75 || over > 1.25 {
			t.Errorf("%s ahead: %.2f of what came is expected", ahead, over)
		}
	}
	if m := Fit(DefaultModel(), lumpyHistories(150, 1)); m.Mix != (Mix{}) {
		t.Errorf("from 150 tweets: %+v", m.Mix)
	}
}

// TestTheWeightsOfAMixture: they sum to 1, and one that is always right gets all.
func TestTheWeightsOfAMixture(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 1))
		noise, growth := float64(seed/2)/4, 0.05+r.Float64()
		var samples []forecastSample
		for tweet := range 300 {
			count := 10 + 200*r.Float64()
			samples = append(samples, forecastSample{
				tweet: tweet, age: time.Duration((1 + 10*r.Float64()) * float64(time.Hour)), count: count,
				more: 1 + 100*r.Float64(), linear: 200 * r.Float64(), truth: growth * count * math.Exp(noise*r.NormFloat64()),
			})
		}
		x := chooseMixture(samples)
		sum := 0.0
		for _, w := range x.Weights {
			sum += w
			if w < 0 {
				t.Errorf("weights %v", x.Weights)
			}
		}
		if math.Abs(sum-1) > 1e-9 { // the kernel is a draw here, so another part gains
			t.Errorf("weights %v", x.Weights)
		}
		if noise == 0 && x.Weights[mixKernel] > 0 {
			t.Errorf("the count tells all: weights %v", x.Weights)
		}
		for _, s := range samples {
			if f := x.factor(s); !(f >= 0) || math.IsInf(f, 0) {
				t.Errorf("factor %g of %+v", f, s)
			}
		}
	}
}

// TestAMixtureHoldsWhereItWasLearnt: not for tweets that are very young or tiny, and not in
// a zone that borrows the model.
func TestAMixtureHoldsWhereItWasLearnt(t *testing.T) {
	t.Parallel()
	m := DefaultModel()
	for h := range m.Mix {
		m.Mix[h] = Mixture{Weights: [mixParts]float64{mixLogLinear: 1}, Scales: [mixParts]float64{1, 1, 1}, LogLinear: [mixAges]float64{math.Log(1.5)}}
	}
	created := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	expected := func(m Model, age time.Duration, likes int64) Expectation {
		k := Tracking{CreatedAt: created, ObservedAt: created.Add(age), Metrics: Metrics{Likes: Known(likes)}}
		k.Activity = m.Learn(Tracking{CreatedAt: created}, k)
		f, ok := m.Forecast(k, nil)
		if !ok {
			t.Fatal("no forecast")
		}
		return f.Horizons[0].Engagement
	}
	borrowed := m
	borrowed.Borrowed = true
	for _, c := range []struct {
		name  string
		model Model
		age   time.Duration
		likes int64
		mixed bool
	}{
		{"an hour old", m, time.Hour, 20, true},
		{"twelve hours old", m, 12 * time.Hour, 20, true},
		{"younger", m, 59 * time.Minute, 20, false},
		{"older", m, 13 * time.Hour, 20, false},
		{"tiny", m, 2 * time.Hour, 9, false},
		{"borrowed", borrowed, 2 * time.Hour, 20, false},
	} {
		got, kernel := expected(c.model, c.age, c.likes), expected(DefaultModel(), c.age, c.likes)
		if want := float64(c.likes) * 1.5; c.mixed && math.Abs(got.Mean-want) > 1e-6 {
			t.Errorf("%s: %g, half as much again is %g", c.name, got.Mean, want)
		}
		if !c.mixed && got != kernel {
			t.Errorf("%s: %+v, the kernel has %+v", c.name, got, kernel)
		}
	}
}

// TestModelsWithoutAMixture: models that were kept before there were mixtures read as
// having none, and none is not written.
func TestModelsWithoutAMixture(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(DefaultModel())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), `"mix"`) {
		t.Errorf("a model without a mixture is written with one: %s", text)
	}
	m := Fit(DefaultModel(), lumpyHistories(250, 1))
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	var back Model
	if err := json.Unmarshal(text, &back); err != nil || back != m || m.Mix == (Mix{}) {
		t.Errorf("read back as %+v, %v", back.Mix, err)
	}
}

// TestRidgeIsTheMinimum: no small step away from the coefficients lessens what they
// minimise.
func TestRidgeIsTheMinimum(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "cases")
		xs, ys := make([][]float64, n), make([]float64, n)
		for i := range xs {
			xs[i] = []float64{1, rapid.Float64Range(-3, 3).Draw(t, "x"), rapid.Float64Range(-3, 3).Draw(t, "z")}
			ys[i] = rapid.Float64Range(-3, 3).Draw(t, "y")
		}
		weight := rapid.Float64Range(0.1, 5).Draw(t, "weight")
		loss := func(b []float64) float64 {
			sum := weight * (b[1]*b[1] + b[2]*b[2])
			for i, x := range xs {
				d := ys[i] - b[0] - b[1]*x[1] - b[2]*x[2]
				sum += d * d
			}
			return sum
		}
		b := Ridge(xs, ys, weight)
		least := loss(b)
		for k := range b {
			for _, step := range []float64{-1e-3, 1e-3} {
				moved := append([]float64(nil), b...)
				moved[k] += step
				if loss(moved) < least-1e-9 {
					t.Fatalf("coefficients %v: moving the one at %d by %v is better", b, k, step)
				}
			}
		}
	})
}
