package engagement_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

// underDayPass is the adaptive policy where a tweet is paid for once a UTC day.
func underDayPass(price float64) engagement.Adaptive {
	a := adaptive(price)
	a.Again = engagement.RepeatShare
	return a
}

// utcDate names the UTC day of a time.
func utcDate(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// TestWithoutADayPassNothingChanges holds gaps and outlooks against those that were written
// down before there was a price of a day, whatever the rows say of days that were paid for.
func TestWithoutADayPassNothingChanges(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		age             time.Duration
		likes           int64
		price           float64
		gap             time.Duration // 0: cold
		lookups, unseen float64
	}{
		{10 * time.Minute, 3, 4, 1720220 * time.Millisecond, 2, 2.64850391},
		{10 * time.Minute, 500, 4, 1047449 * time.Millisecond, 3.2845912, 244.492674},
		{1 * time.Hour, 20, 0.5, 3338503 * time.Millisecond, 1.12371874, 2.88967245},
		{5 * time.Hour, 20, 4, 25810911 * time.Millisecond, 0.143063661, 2.39137916},
		{20 * time.Hour, 3, 4, 0, 0, 0},
		{20 * time.Hour, 3000, 4, 16317092 * time.Millisecond, 0.229041222, 26.1489901},
		{26 * time.Hour, 40, 0.5, 25739440 * time.Millisecond, 0.14494601, 0.361436479},
		{47 * time.Hour, 5000, 0.5, 0, 0, 0},
		{30 * time.Hour, 1, 64, 0, 0, 0},
	} {
		at := posted.Add(tc.age)
		u, err := engagement.Track(adaptive(tc.price), engagement.Tracking{TweetID: "1", CreatedAt: posted}, posted)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []engagement.Observation{{At: at}, {At: at, DayPass: true}} {
			o.Metrics = counts(0, 0, tc.likes, 0, 0, 0)
			after, err := engagement.Observe(adaptive(tc.price), u.Tracking, o, at)
			if err != nil {
				t.Fatal(err)
			}
			var gap time.Duration
			if next := after.Tracking.NextUpdateAt; !next.IsZero() {
				gap = next.Sub(at).Round(time.Millisecond)
			}
			got := adaptive(tc.price).Outlook(after.Tracking, at)
			near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(b)) }
			if gap != tc.gap || !near(got.Lookups, tc.lookups) || !near(got.Unseen, tc.unseen) || got.Paid != got.Lookups {
				t.Errorf("%d likes at %s, price %g: gap %s, outlook %+v, want %s, %g and %g", tc.likes, tc.age, tc.price, gap, got, tc.gap, tc.lookups, tc.unseen)
			}
		}
	}
}

// TestADayPassNeverMakesATweetWait: a tweet that is worth a look-up at its whole price is
// looked up no later for its days being paid for, and so nothing starves; one that is not is
// looked up only on the day that is paid for, at no charge.
func TestADayPassNeverMakesATweetWait(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Float64Range(0.001, 1000).Draw(t, "price")
		plain, aware := adaptive(price), underDayPass(price)
		plain.Model.Clock = anyClock(t)
		aware.Model.Clock = plain.Model.Clock
		k := watched(t, aware)
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age")))
		k.Activity.PaidDay = engagement.UTCDay(now.AddDate(0, 0, -rapid.IntRange(0, 2).Draw(t, "days ago")))
		if rapid.Bool().Draw(t, "never paid") {
			k.Activity.PaidDay = time.Time{}
		}
		_, usual := plain.Schedule(k, now)
		_, next := aware.Schedule(k, now)
		switch {
		case usual.IsZero() && !next.IsZero():
			if utcDate(next) != utcDate(now) || k.Activity.PaidDay.IsZero() || utcDate(k.Activity.PaidDay) != utcDate(now) {
				t.Fatalf("not worth its price at %s, and looked up at %s, paid for on %s", now, next, k.Activity.PaidDay)
			}
		case !usual.IsZero() && (next.IsZero() || next.After(usual)):
			t.Fatalf("looked up at %s, and without a day pass at %s", next, usual)
		}
	})
}

// TestAHigherPriceOfADayPaysForNoMore: a tweet that is paid for at a price is paid for at each
// lower one, and looked up no later.
func TestAHigherPriceOfADayPaysForNoMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		price := rapid.Float64Range(0.001, 1000).Draw(t, "price")
		cheap, dear := underDayPass(price), underDayPass(price*rapid.Float64Range(1, 100).Draw(t, "factor"))
		k := watched(t, cheap)
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "age")))
		if rapid.Bool().Draw(t, "paid") {
			k.Activity.PaidDay = engagement.UTCDay(now)
		}
		if a, b := gap(t, cheap, k, now), gap(t, dear, k, now); a > b {
			t.Fatalf("at the lower price %s, at the higher one %s", a, b)
		}
		a, b := cheap.Outlook(k, now), dear.Outlook(k, now)
		if a.Paid < b.Paid || a.Lookups < b.Lookups || b.Paid > 1.0/24 {
			t.Fatalf("outlook at the lower price %+v, at the higher one %+v", a, b)
		}
	})
}

// TestALookOnlyPaysForItsOwnDay follows the day that is noted from look to look, across
// midnight, and over counts that came by themselves.
func TestALookOnlyPaysForItsOwnDay(t *testing.T) {
	t.Parallel()
	evening := time.Date(2026, 3, 1, 23, 50, 0, 0, time.UTC)
	u, err := engagement.Track(underDayPass(1), engagement.Tracking{TweetID: "1", CreatedAt: evening.Add(-time.Hour)}, evening)
	if err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		o    engagement.Observation
		want string // the day that is paid for
	}{
		{engagement.Observation{At: evening, Pushed: true, DayPass: true}, "0001-01-01"},
		{engagement.Observation{At: evening.Add(time.Minute), DayPass: true}, "2026-03-01"},
		{engagement.Observation{At: evening.Add(12 * time.Minute), Pushed: true, DayPass: true}, "2026-03-01"},
		{engagement.Observation{At: evening.Add(14 * time.Minute)}, "2026-03-01"}, // a provider that charges each time
		{engagement.Observation{At: evening.Add(16 * time.Minute).In(time.FixedZone("west", -8*3600)), DayPass: true}, "2026-03-02"},
	} {
		step.o.Metrics = counts(0, 0, int64(i), 0, 0, 0)
		if u, err = engagement.Observe(underDayPass(1), u.Tracking, step.o, step.o.At); err != nil {
			t.Fatal(err)
		}
		if got := utcDate(u.Tracking.Activity.PaidDay); got != step.want {
			t.Errorf("after look %d the day that is paid for is %s, want %s", i+1, got, step.want)
		}
	}
}

// TestBudgetControlLeavesPaidDays: gaps within a day that is paid for save nothing.
func TestBudgetControlLeavesPaidDays(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	tweet := engagement.Tracking{CreatedAt: noon.Add(-4 * time.Hour)}
	late := engagement.Tracking{CreatedAt: noon.Add(7*time.Hour + 30*time.Minute)}
	paid := func(k engagement.Tracking) engagement.Tracking {
		k.Activity.PaidDay = noon.Add(-12 * time.Hour)
		return k
	}
	for name, tc := range map[string]struct {
		tweet   engagement.Tracking
		now     time.Time
		dayPass bool
		want    time.Duration
	}{
		"each look-up costs":             {paid(tweet), noon, false, 4 * time.Hour},
		"not paid for":                   {tweet, noon, true, 4 * time.Hour},
		"paid for":                       {paid(tweet), noon, true, time.Hour},
		"the next one is on another day": {paid(late), noon.Add(11*time.Hour + 30*time.Minute), true, 4 * time.Hour},
	} {
		_, next := engagement.BudgetControl{Policy: engagement.DefaultTierPolicy(), Used: 0.95, DayPass: tc.dayPass}.Schedule(tc.tweet, tc.now)
		if got := next.Sub(tc.now); got != tc.want {
			t.Errorf("%s: the gap is %s, want %s", name, got, tc.want)
		}
	}
}

// TestAdjustGoesByTheWholeDay: under a day pass the price rises where a whole day costs more
// than the budget, falls where it costs less, and does not move for what was spent at
// midnight.
func TestAdjustGoesByTheWholeDay(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	b := engagement.Budget{PerDay: 100, MinPrice: 0.25}
	for name, tc := range map[string]struct {
		projected float64
		sign      int
	}{"twice as much": {200, 1}, "half as much": {50, -1}, "what is planned, of which most is spent": {90, 0}} {
		got := b.Adjust(4, engagement.BudgetUsage{
			Now: midnight.Add(10 * time.Minute), DayStart: midnight, SpentToday: 80, Spent: 80, Period: 5 * time.Minute, Projected: tc.projected,
		})
		if sign := int(math.Copysign(1, got-4)); math.Abs(got-4) > 1e-9 && sign != tc.sign || math.Abs(got-4) < 1e-9 && tc.sign != 0 {
			t.Errorf("%s: the price goes from 4 to %g", name, got)
		}
	}
	if got := b.Adjust(0.25, engagement.BudgetUsage{Projected: 1}); got != 0.25 {
		t.Errorf("the price falls to %g, want 0.25 at least", got)
	}
}
