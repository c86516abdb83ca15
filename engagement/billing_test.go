package engagement_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

// TestBillsByThePriceLists holds what calls cost against sums done by hand from the price
// lists.
func TestBillsByThePriceLists(t *testing.T) {
	t.Parallel()
	twitterAPI := engagement.Billing{Dollars: 0.00015, Credits: 15, Least: 1}
	x := engagement.Billing{Dollars: 0.005, DayPass: true}
	socialData := engagement.Billing{Dollars: 0.0002, Credits: 0.02}
	for _, tt := range []struct {
		name           string
		billing        engagement.Billing
		returned, paid int
		want           float64
	}{
		{"twitterapi.io, 50 tweets", twitterAPI, 50, 0, 0.0075},
		{"twitterapi.io, read before that day", twitterAPI, 50, 50, 0.0075},
		{"twitterapi.io, none returned", twitterAPI, 0, 0, 0.00015},
		{"x, 100 posts", x, 100, 0, 0.5},
		{"x, 60 of them read that day", x, 100, 60, 0.2},
		{"x, all read that day", x, 100, 100, 0},
		{"x, none returned", x, 0, 0, 0},
		{"x, more read that day than returned", x, 3, 5, 0},
		{"SocialData, 100 tweets", socialData, 100, 100, 0.02},
		{"SocialData, none returned", socialData, 0, 0, 0},
	} {
		if got := tt.billing.Call(tt.returned, tt.paid); math.Abs(got-tt.want) > 1e-12 {
			t.Errorf("%s: %g dollars, want %g", tt.name, got, tt.want)
		}
	}
	if got := twitterAPI.LeastCall(); got != 0.00015 {
		t.Errorf("a call to twitterapi.io costs %g at least, want 0.00015", got)
	}
	if got := x.LeastCall() + x.FailedCall() + socialData.FailedCall() + twitterAPI.FailedCall(); got != 0 {
		t.Errorf("failed calls and an empty answer of X cost %g, want nothing", got)
	}
}

// TestDayPassEndsAtMidnightUTC asks in other time zones, since the day is UTC's.
func TestDayPassEndsAtMidnightUTC(t *testing.T) {
	t.Parallel()
	x := engagement.Billing{Dollars: 0.005, DayPass: true}
	east := time.FixedZone("east", 9*3600)
	paid := time.Date(2026, 11, 29, 8, 30, 0, 0, east) // 23:30 UTC on the 28th
	for _, tt := range []struct {
		at   time.Time
		want float64
	}{
		{time.Date(2026, 11, 28, 23, 59, 59, 0, time.UTC), 0},
		{time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC), 0.005},
		{time.Date(2026, 11, 29, 9, 0, 0, 0, east), 0.005},
		{time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC), 0},
	} {
		if got := x.Marginal(paid, tt.at); got != tt.want {
			t.Errorf("paid at %s, a look at %s costs %g, want %g", paid, tt.at, got, tt.want)
		}
	}
	if got, want := x.PaidUntil(paid), time.Date(2026, 11, 29, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("paid until %s, want %s", got, want)
	}
	if got := x.Marginal(time.Time{}, paid); got != 0.005 {
		t.Errorf("a tweet never paid for costs %g, want 0.005", got)
	}
	if got := (engagement.Billing{Dollars: 0.0002}).Marginal(paid, paid); got != 0.0002 {
		t.Errorf("without a day pass a second look costs %g, want 0.0002", got)
	}
}

// TestDayPassChargesTweetsOnceADay replays look-ups of few tweets over some days, and counts
// by hand the pairs of tweet and day.
func TestDayPassChargesTweetsOnceADay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		x := engagement.Billing{Dollars: 0.005, DayPass: true}
		now := time.Date(2026, 2, 27, rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0, 0, time.UTC)
		paid := make(map[int]time.Time)
		pairs := make(map[string]bool)
		var dollars, marginal float64
		for range rapid.IntRange(1, 40).Draw(t, "calls") {
			now = now.Add(time.Duration(rapid.IntRange(0, 12*60).Draw(t, "minutes")) * time.Minute)
			var covered int
			tweets := rapid.SliceOfNDistinct(rapid.IntRange(1, 6), 0, 6, rapid.ID).Draw(t, "tweets")
			for _, id := range tweets {
				marginal += x.Marginal(paid[id], now)
				if x.Paid(paid[id], now) {
					covered++
				}
				pairs[now.Format("2006-01-02 ")+string(rune('a'+id))] = true
				paid[id] = now
			}
			dollars += x.Call(len(tweets), covered)
		}
		want := 0.005 * float64(len(pairs))
		if math.Abs(dollars-want) > 1e-9 || math.Abs(marginal-want) > 1e-9 {
			t.Fatalf("%d pairs of tweet and day cost %g by calls and %g by tweets, want %g", len(pairs), dollars, marginal, want)
		}
	})
}
