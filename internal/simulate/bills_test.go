package simulate

import (
	"math"
	"testing"
	"time"

	"gorgone/engagement"
)

// TestBillsByHand holds the bill of two tweets with known look-ups against sums done by hand.
func TestBillsByHand(t *testing.T) {
	t.Parallel()
	day := 24 * 60 * 60.0
	traffic := Traffic{looks: []moment{
		{10, true}, {11, false}, {12, true}, // one window of 5 s: three looks, two of them first
		{14.9, false},                      // still the same
		{15, true},                         // the next
		{day - 1, false}, {day - 1, false}, // two at once
	}}
	for _, tc := range []struct {
		name    string
		b       engagement.Billing
		ids     int
		dollars float64
		calls   int
	}{
		{"each look-up", engagement.Billing{Dollars: 0.01}, 100, 0.07, 3},
		{"small calls", engagement.Billing{Dollars: 0.01}, 2, 0.07, 4},
		{"once a day", engagement.Billing{Dollars: 0.5, DayPass: true}, 100, 1.5, 3},
		{"three tweets a call at least", engagement.Billing{Dollars: 0.01, Least: 3}, 100, 0.10, 3},
		{"that, in small calls", engagement.Billing{Dollars: 0.01, Least: 3}, 2, 0.12, 4},
	} {
		got := traffic.Bill(tc.b, tc.ids, 5*time.Second)
		if math.Abs(got.Dollars-tc.dollars) > 1e-9 || got.Calls != tc.calls {
			t.Errorf("%s: %+v, want %g dollars and %d calls", tc.name, got, tc.dollars, tc.calls)
		}
	}
}

// TestTrafficChargesDistinctDays: what X is paid for is the days of the scores, and what others are
// paid for the look-ups; so many times as many tweets cost so many times as much.
func TestTrafficChargesDistinctDays(t *testing.T) {
	t.Parallel()
	p := Synthetic(100, 5)
	for _, policy := range []engagement.Policy{engagement.DefaultTierPolicy(), aware(engagement.DefaultModel(), 16)} {
		for _, perDay := range []int{50, 500} {
			got := NewTraffic(p.Test, perDay, policy, 1)
			x := got.Bill(engagement.Billing{Dollars: 1, DayPass: true}, 100, 5*time.Second)
			each := got.Bill(engagement.Billing{Dollars: 1, Least: 1}, 50, 5*time.Second)
			if n := float64(perDay); math.Abs(x.Dollars-n*got.Days) > 1e-6*n || math.Abs(each.Dollars-n*got.Lookups) > 1e-6*n || x.Calls > each.Calls {
				t.Errorf("%d tweets a day: %+v once a day, %+v each time, of %g days and %g look-ups a tweet", perDay, x, each, got.Days, got.Lookups)
			}
		}
	}
}
