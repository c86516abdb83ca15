package simulate

import (
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"gorgone/engagement"
)

// TestBurstAlerts measures how often a rule on bursts is wrong, on tweets that it was not
// fitted to, beside the fixed threshold; and that it finds bursts which were put there.
// With -v it prints the figures of docs/alerts.md.
func TestBurstAlerts(t *testing.T) {
	t.Parallel()
	p := lifelike(t, 6000)
	model := engagement.Fit(engagement.DefaultModel(), Histories(p.Train, Horizon12))
	tiers := engagement.DefaultTierPolicy()
	rule := func(kind engagement.AlertKind, threshold float64) engagement.AlertRule {
		r := engagement.AlertRule{Kind: kind, Threshold: threshold, Cooldown: time.Hour}
		if kind == engagement.AlertVelocity {
			r.Window = engagement.MinAlertWindow
		}
		if err := r.Validate(); err != nil {
			t.Fatal(err)
		}
		return r
	}
	show := func(name string, c BurstCount) {
		t.Logf("%-22s %6d look-ups %5d alerts, %6.3f a thousand look-ups, %.4f a tweet and day; %d flat, %.4f a tweet and day",
			name, c.Lookups, c.Alerts, 1000*float64(c.Alerts)/float64(c.Lookups), float64(c.Alerts)/c.Days, c.Flat, float64(c.Flat)/c.Days)
	}
	// Ten times what a tweet got in all, within ten minutes, five hours after its post.
	r := rand.New(rand.NewPCG(4, 4))
	var burst []Tweet
	for _, tweet := range p.Test {
		if n := len(tweet.Events); n >= 10 && n <= 100 {
			events := append([]float64(nil), tweet.Events...)
			for range 10 * n {
				events = append(events, 5*3600+600*r.Float64())
			}
			sort.Float64s(events)
			tweet.Events = events
			burst = append(burst, tweet)
		}
	}
	previous := 1 << 30
	for _, digits := range []float64{3, 4, 6, 9, 12} {
		c := Bursts(model, tiers, p.Test, Horizon12, rule(engagement.AlertBurst, digits))
		show(fmt.Sprintf("burst, 1 in 10^%g", digits), c)
		if c.Alerts > previous {
			t.Errorf("more alerts at %g digits than at fewer", digits)
		}
		previous = c.Alerts
		found := Bursts(model, tiers, burst, Horizon12, rule(engagement.AlertBurst, digits))
		t.Logf("    on %d tweets with a burst: %d alerts", len(burst), found.Alerts)
		if digits == engagement.DefaultAlertDigits {
			if found.Alerts < len(burst)*95/100 {
				t.Errorf("of %d bursts %d raised an alert", len(burst), found.Alerts)
			}
			if rate := 1000 * float64(c.Alerts) / float64(c.Lookups); rate > 2 {
				t.Errorf("%.3f alerts a thousand look-ups", rate)
			}
		}
	}
	for _, threshold := range []float64{50, 100, 500} {
		show(fmt.Sprintf("velocity, %g an hour", threshold), Bursts(model, tiers, p.Test, Horizon12, rule(engagement.AlertVelocity, threshold)))
		t.Logf("    on %d tweets with a burst: %d alerts", len(burst), Bursts(model, tiers, burst, Horizon12, rule(engagement.AlertVelocity, threshold)).Alerts)
	}
}
