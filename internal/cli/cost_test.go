package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/internal/config"
	"gorgone/store"
	"gorgone/store/report"
	"gorgone/twitter"
)

// TestCostADay is that of whole days only, and without what floating point leaves.
func TestCostADay(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	day := func(ago int, dollars float64) store.Expense {
		return store.Expense{Day: noon.Truncate(24*time.Hour).AddDate(0, 0, -ago), Zone: uuid.Nil, Dollars: dollars, Calls: 0.1}
	}
	for name, c := range map[string]struct {
		list  []store.Expense
		whole int
		want  float64
	}{
		"nothing":                           {nil, 0, 0},
		"today":                             {[]store.Expense{day(0, 5)}, 0, 0},
		"since yesterday":                   {[]store.Expense{day(1, 5), day(0, 5)}, 0, 0},
		"one whole day":                     {[]store.Expense{day(2, 5), day(1, 0.1), day(1, 0.2), day(0, 5)}, 1, 0.3},
		"a day without, between the others": {[]store.Expense{day(4, 5), day(3, 4), day(1, 2), day(0, 5)}, 3, 2},
	} {
		got := &cost{To: noon}
		got.gather(c.list, nil)
		if got.WholeDays != c.whole || got.PerDay != c.want {
			t.Errorf("%s: %g a day of %d, want %g of %d", name, got.PerDay, got.WholeDays, c.want, c.whole)
		}
		var out strings.Builder
		got.print(&out, "day (UTC)", got.dayLines())
		if says := strings.Contains(out.String(), "not known"); says != (c.whole == 0) {
			t.Errorf("%s:\n%s", name, out.String())
		}
	}
}

// TestProjectionNeedsWholeLives: a few tweets say little.
func TestProjectionNeedsWholeLives(t *testing.T) {
	t.Parallel()
	sh := &shell{}
	sh.cfg.Provider.Name = twitter.TwitterAPIName
	sh.cfg.Schedule.Tiers = config.TierSteps{{Tier: engagement.UltraHot, Until: time.Hour, Every: 10 * time.Minute}}
	for lives, want := range map[int]float64{0: 6, enoughLives - 1: 6, enoughLives: 2.5} {
		p := sh.project(&cost{Whole: lives, PerTweet: 2.5}, 1000)
		if p.LooksPerTweet != want || p.Measured != (want == 2.5) {
			t.Errorf("%d lives: %+v, want %g looks", lives, p, want)
		}
	}
}

// TestProjectionOfADayPass multiplies by the days that are paid for: by hand, 1,000 tweets a day
// on 2.5 days each at half a cent are $12.50, however often they are looked up.
func TestProjectionOfADayPass(t *testing.T) {
	t.Parallel()
	sh := &shell{}
	sh.cfg.Provider.Name = twitter.XAPIName
	sh.cfg.Schedule.Tiers = config.TierSteps{
		{Tier: engagement.UltraHot, Until: time.Hour, Every: 10 * time.Minute}, {Tier: engagement.Warm, Until: 12*time.Hour + 10*time.Minute, Every: time.Hour},
	}
	p := sh.project(&cost{Whole: enoughLives, PerTweet: 30, DaysPerTweet: 2.5}, 1000)
	if p.DollarsPerDay != 12.5 || p.LooksPerTweet != 30 || p.CallsPerDay != 600 {
		t.Errorf("as measured: %+v", p)
	}
	// Half of the tweets have a midnight within the twelve hours of their looks.
	if p := sh.project(&cost{}, 1000); p.DaysPerTweet != 1.5 || p.DollarsPerDay != 7.5 {
		t.Errorf("by the tiers: %+v", p)
	}
	var out strings.Builder
	shown := &cost{Projected: p}
	shown.print(&out, "day (UTC)", nil)
	if !strings.Contains(out.String(), "30.0 looks each on 2.50 days, which are paid for") {
		t.Errorf("printed:\n%s", out.String())
	}
	sh.cfg.Provider.Name = twitter.SocialDataName
	if p := sh.project(&cost{Whole: enoughLives, PerTweet: 30}, 1000); p.DollarsPerDay != 6 || p.DaysPerTweet != 0 {
		t.Errorf("at a provider that charges each time: %+v", p)
	}
}

// TestBalancesThatSayNothingAreLeftOut: the double's account has no end, and a
// balance that nothing was taken from is held against nothing.
func TestBalancesThatSayNothingAreLeftOut(t *testing.T) {
	t.Parallel()
	c := &cost{reconciled: []report.Reconciliation{{Provider: "double", Left: 2147483647, Booked: 31410}, {Provider: "fresh", Left: 100}, {Provider: "used", Left: 90, Taken: 10, Booked: 9}}}
	var out strings.Builder
	c.print(&out, "day (UTC)", c.dayLines())
	if text := out.String(); strings.Contains(text, "double") || !strings.Contains(text, "fresh: 100 credits left") || strings.Count(text, "taken") != 2 {
		t.Errorf("printed:\n%s", text)
	}
}
