package engagement

import (
	"crypto/sha256"
	"math"
	"strconv"
	"testing"
	"time"
)

// fixed is a policy with one gap until an age.
type fixed struct{ gap, until time.Duration }

func (f fixed) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	if next := now.Add(f.gap); next.Sub(t.CreatedAt) <= f.until {
		return Hot, next
	}
	return Cold, time.Time{}
}

func TestASplitIsEven(t *testing.T) {
	t.Parallel()
	for _, seed := range []string{"a", "b", "6f726700"} {
		tried := 0
		for i := range 4000 {
			id := strconv.Itoa(1_900_000_000_000_000_000 + i)
			if want := Half(sha256.Sum256([]byte(seed + ":" + id))[0] % 2); HalfOf(seed, id) != want {
				t.Fatalf("tweet %s is in half %d, want %d", id, HalfOf(seed, id), want)
			}
			tried += int(HalfOf(seed, id))
		}
		if math.Abs(float64(tried)-2000) > 150 { // 4.7 standard deviations
			t.Errorf("seed %q: %d of 4000 are tried", seed, tried)
		}
	}
}

func TestASplitSchedulesByHalf(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	s := Split{
		Policy: fixed{time.Hour, 12 * time.Hour}, Tried: fixed{3 * time.Hour, 24 * time.Hour},
		Seed: "x", From: from, Closing: 48 * time.Hour,
	}
	ids := map[Half]string{}
	for i := 0; len(ids) < 2; i++ {
		ids[HalfOf("x", strconv.Itoa(i))] = strconv.Itoa(i)
	}
	for _, c := range []struct {
		half   Half
		posted time.Time
		age    time.Duration
		want   time.Duration // age of the next look-up; 0: none
	}{
		{KeptHalf, from, 0, time.Hour},
		{TriedHalf, from, 0, 3 * time.Hour},
		{TriedHalf, from.Add(-1), 0, time.Hour}, // posted before
		{KeptHalf, from, 12 * time.Hour, 48 * time.Hour},
		{TriedHalf, from, 23 * time.Hour, 48 * time.Hour},
		{KeptHalf, from.Add(-1), 12 * time.Hour, 0},
		{KeptHalf, from, 48*time.Hour - MinSnapshotGap + 1, 0}, // it would add no snapshot
		{TriedHalf, from, 49 * time.Hour, 0},
	} {
		_, next := s.Schedule(Tracking{TweetID: ids[c.half], CreatedAt: c.posted}, c.posted.Add(c.age))
		got := time.Duration(0)
		if !next.IsZero() {
			got = next.Sub(c.posted)
		}
		if got != c.want {
			t.Errorf("half %d, %s old: next look-up at %s, want %s", c.half, c.age, got, c.want)
		}
	}
}

// TestSameSpendMeetsTheOther plays a schedule of which the look-ups go with the inverse
// root of the price, and follow a change of it, to as many look-ups a tweet as another has.
func TestSameSpendMeetsTheOther(t *testing.T) {
	t.Parallel()
	const perTweet, born = 19.0, 5.0 // look-ups of a tweet, lives an hour
	for _, first := range []float64{0.1, 10, 1000} {
		price, at := first, SameSpend{PerTweet: perTweet, Period: time.Hour}
		for range 7 * 24 {
			at.LivesBefore, at.LookupsBefore = at.Lives, at.Lookups
			at.Lives += born
			at.Lookups += born * perTweet * math.Sqrt(10/price) // right at 10
			price = at.Adjust(price)
		}
		if got := at.Lookups / at.Lives; math.Abs(got/perTweet-1) > 0.02 || math.Abs(math.Log(price/10)) > 0.1 {
			t.Errorf("from a price of %g: %.2f look-ups a tweet at %.3g, want %g at 10", first, got, price, perTweet)
		}
	}
}

func TestLookupsByAge(t *testing.T) {
	t.Parallel()
	k := DefaultModel().Engagement.Kernel
	const whole = 48 * time.Hour
	// By the definition: the integral of the root of the rate.
	sum := func(until time.Duration) (s float64) {
		const step = 10 * time.Second
		for at := step / 2; at < until; at += step {
			s += math.Sqrt(k.Rate(at))
		}
		return s
	}
	for _, age := range []time.Duration{0, time.Hour, 6 * time.Hour, 12 * time.Hour, whole} {
		if got, want := k.LookupsBy(age, whole), sum(age)/sum(whole); math.Abs(got-want) > 0.01 {
			t.Errorf("%s: %.3f, want %.3f", age, got, want)
		}
	}
	if got := k.LookupsBy(2*whole, whole); got != 1 {
		t.Errorf("after the end: %g", got)
	}
}
