package simulate

import (
	"testing"
	"time"

	"gorgone/engagement"
)

// aware is the adaptive policy where a tweet is paid for once a UTC day.
func aware(m engagement.Model, price float64) engagement.Adaptive {
	a := engagement.DefaultAdaptive(m, price)
	a.Again = engagement.RepeatShare
	return a
}

// TestScoreCountsUTCDays holds the days of a score against the dates of its look-ups.
func TestScoreCountsUTCDays(t *testing.T) {
	t.Parallel()
	hour := 3600.0
	for _, tc := range []struct {
		posted time.Duration
		looks  []float64
		want   float64
	}{
		{23*time.Hour + 30*time.Minute, nil, 0},
		{23*time.Hour + 30*time.Minute, []float64{600, 1700}, 1},
		{23*time.Hour + 30*time.Minute, []float64{600, 1800}, 2}, // midnight itself is the next day's
		{time.Hour, []float64{hour, 2 * hour, 22 * hour}, 1},
		{time.Hour, []float64{hour, 23.5 * hour, 24 * hour, 47.5 * hour}, 3},
		{time.Hour, []float64{hour, 47.5 * hour, 80 * hour}, 2}, // beyond the horizon
	} {
		tweet := Tweet{ID: "1", Posted: tc.posted, Events: []float64{1, 2, 3}}
		if s := tweet.Score(tc.looks, Horizon48); s.Days != tc.want {
			t.Errorf("posted at %s and looked up at %v: %g days, want %g", tc.posted, tc.looks, s.Days, tc.want)
		}
	}
	p := Synthetic(100, 4)
	policy := aware(engagement.DefaultModel(), 1)
	for i := range p.Test {
		tweet := &p.Test[i]
		looks := Follow(policy)(tweet, Horizon48.Seconds(), nil)
		dates := make(map[string]bool)
		for _, at := range looks {
			dates[epoch.Add(tweet.Posted).Add(seconds(at)).Format(time.DateOnly)] = true
		}
		if s := tweet.Score(looks, Horizon48); s.Days != float64(len(dates)) {
			t.Errorf("%s: %g days, and look-ups on %d dates", tweet.ID, s.Days, len(dates))
		}
	}
}

// TestKnowingTheDayPassPays: at each price the schedule that knows of it pays for no more days,
// and shows engagements in two thirds of the time at most.
func TestKnowingTheDayPassPays(t *testing.T) {
	t.Parallel()
	p := lifelike(t, 200)
	m := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
	for _, price := range []float64{1, 4, 16, 64} {
		plain := Summarize(Run(p.Test, Follow(engagement.DefaultAdaptive(m, price)), Horizon48, false), nil)
		knows := Summarize(Run(p.Test, Follow(aware(m, price)), Horizon48, false), nil)
		t.Logf("price %g: %.2f days, %.1f looks, %.1f min; knowing %.2f days, %.1f looks, %.1f min", price, plain.Days, plain.Lookups, plain.Delay, knows.Days, knows.Lookups, knows.Delay)
		if knows.Days > plain.Days*1.02 || knows.Delay > plain.Delay*2/3 {
			t.Errorf("price %g: %.3f days and %.1f min, without it %.3f and %.1f", price, knows.Days, knows.Delay, plain.Days, plain.Delay)
		}
	}
}

// TestBudgetHoldsUnderADayPass: most of a day's money is spent after midnight, and the price
// that keeps within it does not take fright.
func TestBudgetHoldsUnderADayPass(t *testing.T) {
	t.Parallel()
	p := Synthetic(200, 2)
	m := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
	const money = 200
	for _, volume := range []int{100, 150} {
		s, err := Day{
			Tweets: p.Test, PerDay: volume, Days: 6, Period: 10 * time.Minute, Price: 4, DayPass: true,
			Budget: engagement.Budget{PerDay: money, MinPrice: engagement.MinDayPrice},
			Policy: func(price float64) engagement.Policy { return aware(m, price) },
		}.Run()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d tweets a day: %d paid of %d look-ups, by hour %v, price %.3g", volume, s.Paid, s.Lookups, s.Hours, s.Prices[len(s.Prices)-1])
		if s.Paid > money || s.Paid < money*3/4 {
			t.Errorf("%d tweets a day: %d paid of %d", volume, s.Paid, money)
		}
		low, high := s.Prices[len(s.Prices)-1], 0.0
		for _, price := range s.Prices[len(s.Prices)-144:] {
			low, high = min(low, price), max(high, price)
		}
		if high > 8*low {
			t.Errorf("%d tweets a day: the price goes from %.3g to %.3g within a day", volume, low, high)
		}
	}
}
