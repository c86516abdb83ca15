package simulate

import (
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
	"gorgone/twitter/fakeprovider"
)

// cascadesVariable names a file of real cascades; without it synthetic tweets do.
const cascadesVariable = "GORGONE_TEST_CASCADES"

// lifelike returns n ordinary tweets or more: thinned from real cascades, where there are
// some, and synthetic ones otherwise.
func lifelike(t *testing.T, n int) Population {
	t.Helper()
	file := os.Getenv(cascadesVariable)
	if file == "" {
		return Synthetic(n, 1)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cascades, err := fakeprovider.LoadCascades(f)
	if err != nil {
		t.Fatal(err)
	}
	return Thinned(cascades, Thinning{PerParent: max(n/len(cascades)/2*2, 10), Seed: 1})
}

// poisson makes tweets that get events at a constant rate an hour for 12 hours.
func poisson(rates ...float64) []Tweet {
	tweets := make([]Tweet, len(rates))
	for i, rate := range rates {
		r := rand.New(rand.NewPCG(9, uint64(i)))
		for at := r.ExpFloat64() / rate * 3600; at < Horizon12.Seconds(); at += r.ExpFloat64() / rate * 3600 {
			tweets[i].Events = append(tweets[i].Events, at)
		}
	}
	return tweets
}

// TestScoreIsTheIntegral compares the running integrals with a sum over seconds.
func TestScoreIsTheIntegral(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const horizon = 2000.0
		tweet := Tweet{Events: clean(rapid.SliceOfN(rapid.Float64Range(0, 2500), 0, 60).Draw(t, "events"))}
		looks := clean(rapid.SliceOfN(rapid.Float64Range(1, 2500), 0, 8).Draw(t, "looks"))
		got := tweet.score(looks, horizon, true)
		var delay, stale float64
		seen, next := 0, 0
		const step = 0.25
		for at := step / 2; at < horizon; at += step {
			for next < len(looks) && looks[next] <= at {
				seen = tweet.CountAt(looks[next])
				next++
			}
			unseen := float64(tweet.CountAt(at) - seen)
			delay += unseen * step
			stale += unseen / max(float64(tweet.CountAt(at)), relativeFloor) * step / horizon
		}
		if math.Abs(got.Delay-delay) > 0.3*float64(len(tweet.Events)+1) || math.Abs(got.Stale-stale) > 0.01 {
			t.Fatalf("delay %v and staleness %v, by summing %v and %v", got.Delay, got.Stale, delay, stale)
		}
	})
}

// TestEventsAreConserved: what looks show, and what is never seen, is all there is.
func TestEventsAreConserved(t *testing.T) {
	t.Parallel()
	p := Synthetic(60, 3)
	model := engagement.DefaultModel()
	for i := range p.Test {
		tweet := &p.Test[i]
		shown := 0
		replay(engagement.DefaultAdaptive(model, 0.1), tweet, Horizon12.Seconds(), func(before, after engagement.Tracking) {
			if !after.ObservedAt.After(before.ObservedAt) {
				t.Fatalf("looks at %s and %s", before.ObservedAt, after.ObservedAt)
			}
			shown += int(after.Metrics.Total() - before.Metrics.Total())
		})
		looks := Follow(engagement.DefaultAdaptive(model, 0.1))(tweet, Horizon12.Seconds(), nil)
		if last := looks[len(looks)-1]; shown != tweet.CountAt(last)-tweet.CountAt(0) {
			t.Errorf("%s: looks showed %d engagements, %d came", tweet.ID, shown, tweet.CountAt(last))
		}
	}
}

// TestUniformMissesHalfAGap: an event of a Poisson stream waits half a gap for the
// next look, on average.
func TestUniformMissesHalfAGap(t *testing.T) {
	t.Parallel()
	s := Summarize(Run(poisson(200, 300, 400), Uniform(24), Horizon12, false), nil)
	if math.Abs(s.Delay-15) > 0.5 {
		t.Errorf("a look every 30 min: mean delay %.2f min, want 15", s.Delay)
	}
}

// TestProportionalLooksGainNothing: looks in proportion to the rate lose as much as
// even ones, and looks in proportion to its root lose less (Σ√λ)²/(nΣλ).
func TestProportionalLooksGainNothing(t *testing.T) {
	t.Parallel()
	rates := []float64{25, 100, 225, 400}
	tweets := poisson(rates...)
	by := func(share func(rate float64) float64) float64 {
		var sum float64
		for _, r := range rates {
			sum += share(r)
		}
		var scores []Score
		for i, r := range rates {
			scores = append(scores, Run(tweets[i:i+1], Uniform(400*share(r)/sum), Horizon12, false)...)
		}
		return Summarize(scores, nil).Delay
	}
	even, proportional, root := by(func(float64) float64 { return 1 }), by(func(r float64) float64 { return r }), by(math.Sqrt)
	if math.Abs(proportional/even-1) > 0.08 {
		t.Errorf("proportional looks: %.2f times the delay of even ones, want the same", proportional/even)
	}
	if want := 50.0 * 50 / (4 * 750); math.Abs(root/even-want) > 0.08 {
		t.Errorf("looks by the root: %.2f times the delay of even ones, want %.2f", root/even, want)
	}
}

// TestNobodyBeatsTheClairvoyant on looks of its grid, whatever the price.
func TestNobodyBeatsTheClairvoyant(t *testing.T) {
	t.Parallel()
	tweets := Synthetic(80, 5).Test
	tiers := Run(tweets, Follow(engagement.DefaultTierPolicy()), Horizon12, false)
	even := Run(tweets, Uniform(24), Horizon12, false)
	for _, price := range []float64{60, 3600, 100_000} {
		best := Run(tweets, Clairvoyant(price), Horizon12, false)
		for i := range tweets {
			cost := func(s Score) float64 { return s.Delay + price*s.Lookups }
			if b := cost(best[i]); b > cost(tiers[i])+1e-6 || b > cost(even[i])+1e-6 {
				t.Errorf("%s at %v: %v, tiers %v, uniform %v", tweets[i].ID, price, b, cost(tiers[i]), cost(even[i]))
			}
		}
	}
}

// TestSameSeedSameResult whatever the number of cores.
func TestSameSeedSameResult(t *testing.T) {
	t.Parallel()
	run := func(procs int) []Result {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		p := Synthetic(60, 7)
		m := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
		return Compare(Contest(p, Horizon12, m, func(price float64) engagement.Policy {
			return engagement.DefaultAdaptive(m, price)
		}), p.Test, 10, 7)
	}
	one, two := run(1), run(4)
	for i := range one {
		for k := range NumMeasures {
			if a, b := one[i].Figures[k], two[i].Figures[k]; a != b && !math.IsNaN(a.Value) {
				t.Errorf("%s, %s: %v on one core, %v on four", one[i].Name, k, a, b)
			}
		}
	}
}

// TestAdaptiveBeatsTheTiers where it must, on tweets it did not learn from.
func TestAdaptiveBeatsTheTiers(t *testing.T) {
	t.Parallel()
	p := lifelike(t, 200)
	m := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
	results := Compare(Contest(p, Horizon12, m, func(price float64) engagement.Policy {
		return engagement.DefaultAdaptive(m, price)
	}), p.Test, 20, 1)
	for _, r := range results {
		if f := r.Figures; r.Name == Adaptive && !(f[DelayOverTiers].Value < 0.7 && f[StaleOverTiers].Value < 1 && f[DelayOverAgeOnly].Value < 0.75) {
			t.Errorf("delay %v, staleness %v of the tiers', delay %v of age-only's", f[DelayOverTiers], f[StaleOverTiers], f[DelayOverAgeOnly])
		}
	}
	for _, f := range Foretell(m, p, 5, 1) {
		if f.Ahead == 3*time.Hour && (f.Ratio.Value > 0.7 || f.Cover.Value < 0.65 || f.Cover.Value > 0.95) {
			t.Errorf("forecast %+v", f)
		}
	}
}

func TestPopulationsAreSplitByTweet(t *testing.T) {
	t.Parallel()
	p := Synthetic(100, 1)
	again := Synthetic(100, 1)
	if !reflect.DeepEqual(p, again) {
		t.Error("the same seed made other tweets")
	}
	seen := map[string]bool{}
	for _, x := range append(p.Train, p.Test...) {
		if seen[x.ID] {
			t.Errorf("%s is in both halves", x.ID)
		}
		seen[x.ID] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d of 100 tweets", len(seen))
	}
}

// TestBudgetHoldsAtThreeTimesTheVolume: the price that a budget sets keeps the spend
// within the day's money when three times the tweets come that were planned for.
func TestBudgetHoldsAtThreeTimesTheVolume(t *testing.T) {
	t.Parallel()
	for _, volume := range []int{1, 3} {
		spent, most := spendADay(t, 100*volume, 100*20)
		if spent > 2000 || spent < 1500 {
			t.Errorf("%d times the volume: spent %.0f of 2000", volume, spent)
		}
		if most > 0.12*2000 {
			t.Errorf("%d times the volume: %.0f spent within one hour of a day of 2000", volume, most)
		}
	}
}

// spendADay plays a day and returns what it spent, in all and in its dearest hour.
func spendADay(t *testing.T, tweets int, money float64) (spent, most float64) {
	t.Helper()
	p := Synthetic(200, 2)
	m := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
	s, err := Day{
		Tweets: p.Test, PerDay: tweets, Days: 4, Period: 10 * time.Minute, Price: 0.1,
		Budget: engagement.Budget{PerDay: money},
		Policy: func(price float64) engagement.Policy { return engagement.DefaultAdaptive(m, price) },
	}.Run()
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range s.Hours {
		most = max(most, float64(n))
	}
	t.Logf("%d tweets a day: %d looks of %.0f, by hour %v, price %.3g", tweets, s.Lookups, money, s.Hours, s.Prices[len(s.Prices)-1])
	return float64(s.Lookups), most
}
