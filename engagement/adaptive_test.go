package engagement_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func adaptive(price float64) engagement.Adaptive {
	return engagement.DefaultAdaptive(engagement.DefaultModel(), price)
}

// anyClock draws a clock, or none.
func anyClock(t *rapid.T) (c engagement.Clock) {
	if rapid.Bool().Draw(t, "clock") {
		for h := range c {
			c[h] = rapid.Float64Range(0.1, 3).Draw(t, "hour")
		}
	}
	return c
}

// watched draws a tweet that was looked at some times, with what it learnt.
func watched(t *rapid.T, p engagement.Policy) engagement.Tracking {
	u, err := engagement.Track(p, engagement.Tracking{TweetID: "1", CreatedAt: posted}, posted.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	k, age, total := u.Tracking, time.Duration(0), int64(0)
	for i := range rapid.IntRange(0, 8).Draw(t, "looks") {
		age += time.Duration(rapid.Int64Range(int64(time.Minute), int64(3*time.Hour)).Draw(t, fmt.Sprint("gap", i)))
		total += rapid.Int64Range(0, 500).Draw(t, fmt.Sprint("new", i))
		at := posted.Add(age)
		u, err := engagement.Observe(p, k, engagement.Observation{At: at, Metrics: counts(total, 0, 0, 0, 0, 0)}, at)
		if err != nil {
			t.Fatal(err)
		}
		k = u.Tracking
	}
	return k
}

func gap(t *rapid.T, p engagement.Policy, k engagement.Tracking, now time.Time) time.Duration {
	tier, next := p.Schedule(k, now)
	if next.IsZero() != (tier == engagement.Cold) {
		t.Fatalf("%s and next %s", tier, next)
	}
	if next.IsZero() {
		return 1000 * time.Hour
	}
	if next.Sub(now) < engagement.MinSnapshotGap {
		t.Fatalf("next look after %s", next.Sub(now))
	}
	return next.Sub(now)
}

func TestAHigherRateNeverWaitsLonger(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := adaptive(rapid.Float64Range(0.01, 1000).Draw(t, "price"))
		p.Model.Clock = anyClock(t)
		slow := watched(t, p)
		fast := slow
		fast.Activity.Engagement.Seen += rapid.Float64Range(0, 1000).Draw(t, "more")
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age")))
		if a, b := gap(t, p, fast, now), gap(t, p, slow, now); a > b {
			t.Fatalf("the faster one waits %s, the slower one %s", a, b)
		}
	})
}

func TestAHigherPriceNeverLooksSooner(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Float64Range(0.001, 1000).Draw(t, "price")
		cheap := adaptive(price)
		cheap.Model.Clock = anyClock(t)
		dear := cheap
		dear.Price *= rapid.Float64Range(1, 100).Draw(t, "factor")
		k := watched(t, cheap)
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age")))
		if a, b := gap(t, cheap, k, now), gap(t, dear, k, now); a > b {
			t.Fatalf("at the lower price %s, at the higher one %s", a, b)
		}
		if a, b := cheap.Outlook(k, now).Lookups, dear.Outlook(k, now).Lookups; a < b {
			t.Fatalf("outlook at the lower price %v looks, at the higher one %v", a, b)
		}
	})
}

// TestNoStarvation: while a tweet is worth a look-up, the wait is bounded: by half an
// hour or its age until it is 45 min old, by three times its age after that, and by a
// day ever. A tweet that is not gets no look for certain, rather than a late one.
func TestNoStarvation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := adaptive(rapid.Float64Range(0.001, 1000).Draw(t, "price"))
		p.Model.Clock = anyClock(t)
		k := watched(t, p)
		age := time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age"))
		_, next := p.Schedule(k, posted.Add(age))
		if next.IsZero() {
			return
		}
		longest := max(30*time.Minute, age)
		if age >= 45*time.Minute {
			longest = 3 * age
		}
		longest = time.Duration(1.06 * float64(min(longest, 24*time.Hour)))
		if wait := next.Sub(posted.Add(age)); wait > longest || wait < p.Floor && age+wait < p.Until {
			t.Fatalf("at age %s the wait is %s, want %s to %s", age, wait, p.Floor, longest)
		}
	})
}

// TestASofterCeilingNeverCostsMore: at the same price, a schedule whose longest gaps
// give way looks up no sooner than one whose gaps are firm, at any moment of any tweet,
// and the same where the price wants a gap shorter than the longest.
func TestASofterCeilingNeverCostsMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		soft := adaptive(rapid.Float64Range(0.001, 1000).Draw(t, "price"))
		firm := soft
		firm.Loosen = 1
		k := watched(t, soft)
		age := time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age"))
		a, b := gap(t, soft, k, posted.Add(age)), gap(t, firm, k, posted.Add(age))
		if a < b {
			t.Fatalf("at age %s the soft one waits %s, the firm one %s", age, a, b)
		}
		if free := time.Duration(0.94 * float64(max(30*time.Minute, age))); b < free && age+b < soft.Until-time.Minute && a != b {
			t.Fatalf("at age %s the price wants %s, and the soft one waits %s", age, b, a)
		}
	})
}

func TestNoHerd(t *testing.T) {
	t.Parallel()
	p := adaptive(1)
	times := map[time.Time]int{}
	for i := range 1000 {
		k := engagement.Tracking{TweetID: fmt.Sprint(i), CreatedAt: posted}
		_, next := p.Schedule(k, posted)
		_, again := p.Schedule(k, posted)
		if !next.Equal(again) {
			t.Fatal("the same tweet at the same moment has two next looks")
		}
		times[next.Truncate(10*time.Second)]++
	}
	for at, n := range times {
		if n > 500 {
			t.Errorf("%d of 1000 tweets posted together are due in the same ten seconds, %s", n, at)
		}
	}
}

// TestRebuildIsWhatTheLooksLearnt: the state can be made again from snapshots, and
// survives its JSON.
func TestRebuildIsWhatTheLooksLearnt(t *testing.T) {
	t.Parallel()
	m := engagement.DefaultModel()
	p := engagement.DefaultAdaptive(m, 1)
	u, err := engagement.Track(p, engagement.Tracking{TweetID: "1", CreatedAt: posted, Metrics: counts(1, 2, 3, 4, 500, 6)}, posted.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	snapshots := []engagement.Snapshot{*u.Snapshot}
	for i, age := range []time.Duration{5 * time.Minute, 20 * time.Minute, time.Hour, 5 * time.Hour} {
		n := int64(10 * (i + 1))
		at := posted.Add(age)
		u, err = engagement.Observe(p, u.Tracking, engagement.Observation{At: at, Metrics: counts(n, n, n, n, 1000*n, n)}, at)
		if err != nil {
			t.Fatal(err)
		}
		snapshots = append(snapshots, *u.Snapshot)
	}
	if got := m.Rebuild(posted, 0, snapshots); got != u.Tracking.Activity {
		t.Errorf("rebuilt %+v, learnt %+v", got, u.Tracking.Activity)
	}
	text, err := json.Marshal(u.Tracking.Activity)
	if err != nil {
		t.Fatal(err)
	}
	var back engagement.Activity
	if err := json.Unmarshal(text, &back); err != nil || back != u.Tracking.Activity {
		t.Errorf("%s read back as %+v, %v", text, back, err)
	}
	f, ok := m.Forecast(u.Tracking, &snapshots[3])
	if !ok {
		t.Fatal("no forecast")
	}
	for _, h := range f.Horizons {
		for _, c := range engagement.Counters() {
			e := h.Counts[c]
			if n := float64(u.Tracking.Metrics.Of(c).Value()); e == nil || e.Low < n || e.Mean < e.Low || e.High < e.Mean || e.Linear < n {
				t.Errorf("%s in %s: %+v", c, h.Ahead, e)
			}
		}
	}
}
