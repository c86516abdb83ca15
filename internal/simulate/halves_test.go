package simulate

import (
	"math"
	"testing"
	"time"

	"gorgone/engagement"
)

// recordOf is what a plan would have recorded of a tweet, and a look-up at an age after it.
func recordOf(t *Tweet, plan Plan, last time.Duration) Lived {
	posted := t.createdAt()
	l := Lived{Record: Record{ID: t.ID, CreatedAt: posted}}
	snapshot := func(at float64) {
		l.Snapshots = append(l.Snapshots, engagement.Snapshot{
			At: posted.Add(seconds(at)), Metrics: engagement.Metrics{Retweets: engagement.Known(int64(t.CountAt(at)))},
		})
	}
	for _, at := range plan(t, Horizon48.Seconds()-1, nil) {
		l.Lookups++
		snapshot(at)
	}
	snapshot(last.Seconds())
	return l
}

// TestHalvesAreMeasuredAsTheyWere holds what the look-ups of two halves tell against the
// scores by every event.
func TestHalvesAreMeasuredAsTheyWere(t *testing.T) {
	t.Parallel()
	p := lifelike(t, 400).FoundAt(2 * time.Minute)
	plans := []Plan{Follow(engagement.DefaultTierPolicy()), Follow(engagement.DefaultAdaptive(engagement.DefaultModel(), 1))}
	var lived [2][]Lived
	var true12, true48 [2]Summary
	for half, tweets := range [][]Tweet{p.Train, p.Test} {
		true12[half] = Summarize(Run(tweets, plans[half], Horizon12, false), nil)
		true48[half] = Summarize(Run(tweets, plans[half], Horizon48-time.Second, false), nil)
		for i := range tweets {
			lived[half] = append(lived[half], recordOf(&tweets[i], plans[half], Horizon48))
		}
	}
	h := CompareHalves(lived[0], lived[1], 0, 100, 1)
	for _, c := range []struct {
		name          string
		got           *Estimate
		want          float64
		least, widest float64
	}{
		{"tiers, look-ups", h.Tiers.Lookups, true48[0].Lookups, 0.95, 1.06},
		{"adaptive, look-ups", h.Adaptive.Lookups, true48[1].Lookups, 0.9, 1.11},
		{"tiers, delay, 12 h", h.Tiers.Delay12, true12[0].Delay, 0.9, 1.1},
		{"adaptive, delay, 12 h", h.Adaptive.Delay12, true12[1].Delay, 0.85, 1.15},
		{"tiers, delay, 48 h", h.Tiers.Delay48, true48[0].Delay, 0.65, 1.05},
		{"adaptive, delay, 48 h", h.Adaptive.Delay48, true48[1].Delay, 0.85, 1.15},
		{"delay, 48 h, over", h.Over.Delay48, true48[1].Delay / true48[0].Delay, 0.9, 1.5},
	} {
		if c.got == nil {
			t.Errorf("%s: no figure", c.name)
			continue
		}
		if r := c.got.Value / c.want; !(r >= c.least && r <= c.widest) {
			t.Errorf("%s: %.3g, by every event %.3g", c.name, c.got.Value, c.want)
		}
	}
	if h.Tiers.Dollars != nil {
		t.Errorf("dollars without a price: %+v", h.Tiers.Dollars)
	}
	// Without tweets there are no figures, and no panic.
	if none := CompareHalves(nil, nil, 1, 10, 1); none.Over.Delay48 != nil || none.Tiers.Lookups != nil || none.Tiers.Tweets != 0 {
		t.Errorf("of no tweets: %+v", none)
	}
}

// TestTheGainIsThatOfTheEvents compares the gain that recorded look-ups tell with the one
// that the events themselves do.
func TestTheGainIsThatOfTheEvents(t *testing.T) {
	t.Parallel()
	p := lifelike(t, 600)
	all := append(append([]Tweet(nil), p.Train...), p.Test...)
	var records []Record
	for i := range all {
		records = append(records, recordOf(&all[i], Follow(engagement.DefaultTierPolicy()), Horizon12).Record)
	}
	gain := GainOf(records, 50, 1)
	model := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon48))
	tiers := Single(Tiers, p.Test, Horizon12, Follow(engagement.DefaultTierPolicy()))
	adaptive := Sweep(Adaptive, p.Test, tiers.Points[0].Lookups, Horizon12, func(price float64) Plan {
		return Follow(engagement.DefaultAdaptive(model, price))
	})
	truth := Compare([]Curve{tiers, adaptive}, p.Test, 50, 1)[1].Figures[DelayOverTiers].Value
	if !gain.Shown() || math.Abs(gain.Delay.Value-truth) > 0.2 {
		t.Errorf("the records tell a delay of %+v of the tiers', the events %.3f", gain.Delay, truth)
	}
	if !(gain.Price > 0) {
		t.Errorf("price %g", gain.Price)
	}
	t.Logf("records %.3f [%.3f, %.3f], events %.3f, price %.3g", gain.Delay.Value, gain.Delay.Low, gain.Delay.High, truth, gain.Price)
	if few := GainOf(records[:30], 50, 1); few.Shown() || few.Tweets >= MinTweets {
		t.Errorf("of 30 tweets: %+v", few)
	}
}
