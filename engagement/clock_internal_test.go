package engagement

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawClock(t *rapid.T) Clock {
	var c Clock
	for h := range c {
		c[h] = rapid.Float64Range(0.05, 4).Draw(t, "factor")
	}
	return c.power(1)
}

// integrate sums the rate of a kernel, times the factor of the hour that a wall clock
// shows, in small steps. raise is applied to each.
func integrate(k Kernel, c Clock, createdAt time.Time, from, to time.Duration, raise func(float64) float64) float64 {
	const steps = 60_000
	sum, step := 0.0, (to-from)/steps
	for i := range steps {
		age := from + step*time.Duration(i) + step/2
		sum += raise(k.Rate(age)*c[createdAt.Add(age).UTC().Hour()]) * step.Hours()
	}
	return sum
}

func drawMoment(t *rapid.T) (createdAt time.Time, from, to time.Duration) {
	createdAt = time.Unix(rapid.Int64Range(-1e8, 2e9).Draw(t, "created"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos"))
	from = time.Duration(rapid.Int64Range(int64(10*time.Minute), int64(50*time.Hour)).Draw(t, "from"))
	to = from + time.Duration(rapid.Int64Range(int64(time.Minute), int64(20*time.Hour)).Draw(t, "long"))
	return createdAt, from, to
}

func TestShareByTheClockIsTheIntegral(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := Kernel{Median: time.Hour, Sigma: rapid.Float64Range(1, 3).Draw(t, "sigma")}
		c := drawClock(t)
		createdAt, from, to := drawMoment(t)
		want := integrate(k, c, createdAt, from, to, func(x float64) float64 { return x })
		if got := c.share(k, createdAt, from, to); math.Abs(got-want) > 1e-3*want+1e-9 {
			t.Fatalf("from %s to %s: %v, by summing %v", from, to, got, want)
		}
	})
}

func TestDueByTheClockIsTheIntegral(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k := Kernel{Median: time.Hour, Sigma: rapid.Float64Range(1, 3).Draw(t, "sigma")}
		c := drawClock(t)
		createdAt, from, to := drawMoment(t)
		root := integrate(k, c, createdAt, from, to, math.Sqrt)
		got := c.after(k, createdAt, from, root)
		if d := got - to; d.Abs() > (to-from)/200+2*time.Second {
			t.Fatalf("from %s: due at %s, by summing at %s", from, got, to)
		}
	})
}

func TestAFlatClockIsNone(t *testing.T) {
	t.Parallel()
	var flat Clock
	for h := range flat {
		flat[h] = 1
	}
	rapid.Check(t, func(t *rapid.T) {
		k, none := Kernel{Median: time.Hour, Sigma: 2.4}, Clock{}
		createdAt, from, to := drawMoment(t)
		if a, b := flat.share(k, createdAt, from, to), none.share(k, createdAt, from, to); math.Abs(a-b) > 1e-12 {
			t.Fatalf("share %v with a flat clock, %v without", a, b)
		}
		root := rapid.Float64Range(0.001, 0.5).Draw(t, "root")
		a, b := flat.after(k, createdAt, from, root), none.after(k, createdAt, from, root)
		if a != b && (a-b).Abs() > time.Millisecond+b/1_000_000 {
			t.Fatalf("due at %s with a flat clock, %s without", a, b)
		}
	})
}

// clockHistories draws tweets whose engagement has a log-normal age, thinned by the hour.
// They are looked up one or two hours apart.
func clockHistories(n int, seed uint64, active func(hour int) float64) []History {
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	out := make([]History, n)
	for i := range out {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		created := midnight.Add(time.Duration(r.Float64() * float64(24*time.Hour)))
		var events []time.Duration
		for range 20 + r.IntN(200) {
			age := time.Duration(float64(3*time.Hour) * math.Exp(1.6*r.NormFloat64()))
			if r.Float64() < active(created.Add(age).Hour()) {
				events = append(events, age)
			}
		}
		h := History{CreatedAt: created}
		for age := 20 * time.Minute; age <= 49*time.Hour; age += time.Duration(1+r.IntN(2)) * time.Hour {
			count := int64(0)
			for _, at := range events {
				if at <= age {
					count++
				}
			}
			h.Snapshots = append(h.Snapshots, Snapshot{At: created.Add(age), Metrics: Metrics{Retweets: Known(count)}})
		}
		out[i] = h
	}
	return out
}

func TestTheClockIsLearntWhereThereIsOne(t *testing.T) {
	t.Parallel()
	night := func(h int) float64 { return (4 - 3*math.Cos(float64(h-3)*math.Pi/12)) / 7 }
	m := Fit(DefaultModel(), clockHistories(400, 1, night))
	if m.Clock.off() {
		t.Fatal("no clock was learnt of an audience that sleeps")
	}
	mean := 0.0
	for h := range 24 {
		mean += night(h) / 24
	}
	for h := range 24 {
		if want := night(h) / mean; math.Abs(math.Log(m.Clock[h]/want)) > 0.5 {
			t.Errorf("hour %d: factor %.2f, truly %.2f", h, m.Clock[h], want)
		}
	}
	for seed := range uint64(6) {
		if m := Fit(DefaultModel(), clockHistories(120, 10+seed, func(int) float64 { return 0.6 })); !m.Clock.off() {
			t.Errorf("seed %d: a clock was learnt of an audience that never sleeps: %.2f", seed, m.Clock)
		}
	}
}

// TestModelsWithoutAClock: models that were kept before there were clocks read as
// having none, and none is not written.
func TestModelsWithoutAClock(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(DefaultModel())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "clock") {
		t.Errorf("a model without a clock is written with one: %s", text)
	}
	m := DefaultModel()
	m.Clock = Clock{0: 2, 1: 0.5}
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	var back Model
	if err := json.Unmarshal(text, &back); err != nil || back != m {
		t.Errorf("read back as %+v, %v", back.Clock, err)
	}
}

// TestLearningAllocatesNothing, with a clock too: every observation pays for it.
func TestLearningAllocatesNothing(t *testing.T) { //nolint:paralleltest // allocations are counted for the whole process
	m := DefaultModel()
	for h := range m.Clock {
		m.Clock[h] = 1
	}
	created := time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)
	prev := Tracking{CreatedAt: created, Metrics: Metrics{Retweets: Known(5)}}
	prev.Activity = m.Learn(Tracking{}, Tracking{CreatedAt: created, ObservedAt: created.Add(time.Hour), Metrics: prev.Metrics})
	next := prev
	next.ObservedAt, next.Metrics = created.Add(9*time.Hour), Metrics{Retweets: Known(50)}
	if n := testing.AllocsPerRun(100, func() { next.Activity = m.Learn(prev, next) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
