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
		dear := adaptive(price * rapid.Float64Range(1, 100).Draw(t, "factor"))
		k := watched(t, cheap)
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age")))
		if a, b := gap(t, cheap, k, now), gap(t, dear, k, now); a > b {
			t.Fatalf("at the lower price %s, at the higher one %s", a, b)
		}
		if a, b := cheap.Outlook(k, now).Looks, dear.Outlook(k, now).Looks; a < b {
			t.Fatalf("outlook at the lower price %v looks, at the higher one %v", a, b)
		}
	})
}

// TestNoStarvation: while a tweet is worth a look, the wait is bounded; and a
// tweet that is not gets no look for certain, rather than a late one.
func TestNoStarvation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := adaptive(rapid.Float64Range(0.001, 1000).Draw(t, "price"))
		k := watched(t, p)
		age := time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age"))
		_, next := p.Schedule(k, posted.Add(age))
		if next.IsZero() {
			return
		}
		longest := time.Duration(1.06 * float64(min(p.Ceiling, max(p.Patience, time.Duration(p.Stretch*float64(age))))))
		if wait := next.Sub(posted.Add(age)); wait > longest || wait < p.Floor && age+wait < p.Until {
			t.Fatalf("at age %s the wait is %s, want %s to %s", age, wait, p.Floor, longest)
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
