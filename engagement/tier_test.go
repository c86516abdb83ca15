package engagement_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

var posted = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func TestDefaultPolicySchedule(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		age  time.Duration
		tier engagement.Tier
		next time.Duration // age of the next look-up; 0: none
	}{
		{-time.Minute, engagement.UltraHot, 10 * time.Minute}, // posted "in the future": a clock elsewhere is off
		{0, engagement.UltraHot, 10 * time.Minute},
		{10 * time.Minute, engagement.UltraHot, 20 * time.Minute},
		{10*time.Minute + 3*time.Second, engagement.UltraHot, 20 * time.Minute}, // lateness does not drift
		{19*time.Minute + 30*time.Second, engagement.UltraHot, 30 * time.Minute},
		{55 * time.Minute, engagement.UltraHot, time.Hour},
		{time.Hour, engagement.Hot, 90 * time.Minute},
		{4*time.Hour - time.Second, engagement.Hot, 5 * time.Hour},
		{4 * time.Hour, engagement.Warm, 5 * time.Hour},
		{11*time.Hour + 5*time.Minute, engagement.Warm, 12 * time.Hour},
		{12*time.Hour - time.Second, engagement.Warm, 12*time.Hour + 59*time.Second},
		{12 * time.Hour, engagement.Cold, 0},
		{400 * time.Hour, engagement.Cold, 0},
	} {
		tier, next := engagement.DefaultTierPolicy().Schedule(engagement.Tracking{CreatedAt: posted}, posted.Add(tc.age))
		if tier != tc.tier {
			t.Errorf("age %s: tier %s, want %s", tc.age, tier, tc.tier)
		}
		switch {
		case tc.next == 0 && !next.IsZero():
			t.Errorf("age %s: next look at age %s, want none", tc.age, next.Sub(posted))
		case tc.next != 0 && !next.Equal(posted.Add(tc.next)):
			t.Errorf("age %s: next look at age %s, want %s", tc.age, next.Sub(posted), tc.next)
		}
	}
}

func TestDefaultPolicyTakesTwentyLooks(t *testing.T) {
	t.Parallel()
	looks := 0
	_, next := engagement.DefaultTierPolicy().Schedule(engagement.Tracking{CreatedAt: posted}, posted)
	for ; !next.IsZero(); looks++ {
		_, next = engagement.DefaultTierPolicy().Schedule(engagement.Tracking{CreatedAt: posted}, next.Add(2*time.Second))
	}
	if looks != 20 {
		t.Errorf("%d looks in a tweet's life, want 20", looks)
	}
}

func TestNewTierPolicyListsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := engagement.NewTierPolicy([]engagement.Step{
		{Tier: engagement.Hot, Until: time.Hour, Every: time.Second},
		{Tier: engagement.UltraHot, Until: 30 * time.Minute, Every: time.Hour},
		{Tier: engagement.Cold, Until: 9 * time.Hour, Every: time.Hour},
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"step 1 (hot): every 1s", "step 2: tier ultra_hot must be cooler", "step 2 (ultra_hot): ends at age 30m0s", "step 3: tier \"cold\""} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if _, err := engagement.NewTierPolicy(nil); err == nil {
		t.Error("a policy without steps was accepted")
	}
}

func TestTiersOnlyCoolWithAge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := tierPolicy().Draw(t, "policy")
		tweet := engagement.Tracking{CreatedAt: posted}
		younger := rapid.Int64Range(-int64(time.Hour), int64(100*time.Hour)).Draw(t, "younger")
		older := younger + rapid.Int64Range(0, int64(100*time.Hour)).Draw(t, "more")
		a, _ := p.Schedule(tweet, posted.Add(time.Duration(younger)))
		b, _ := p.Schedule(tweet, posted.Add(time.Duration(older)))
		if b.Heat() > a.Heat() {
			t.Fatalf("%s at age %s, %s at age %s", a, time.Duration(younger), b, time.Duration(older))
		}
	})
}

func TestNextLookIsAheadAndNeverSkipsAnInterval(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := tierPolicy().Draw(t, "policy")
		now := posted.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(100*time.Hour)).Draw(t, "age")))
		tier, next := p.Schedule(engagement.Tracking{CreatedAt: posted}, now)
		if (tier == engagement.Cold) != next.IsZero() {
			t.Fatalf("tier %s, next look %s", tier, next)
		}
		if next.IsZero() {
			return
		}
		if next.Sub(now) < engagement.MinSnapshotGap {
			t.Fatalf("next look %s from now, under the snapshot gap", next.Sub(now))
		}
		again, _ := p.Schedule(engagement.Tracking{CreatedAt: posted}, next.Add(-time.Nanosecond))
		if again.Heat() > tier.Heat() {
			t.Fatalf("warmed from %s to %s while waiting", tier, again)
		}
	})
}

// tierPolicy draws a valid policy of one to three steps.
func tierPolicy() *rapid.Generator[engagement.TierPolicy] {
	return rapid.Custom(func(t *rapid.T) engagement.TierPolicy {
		tiers := []engagement.Tier{engagement.UltraHot, engagement.Hot, engagement.Warm}
		var steps []engagement.Step
		var until time.Duration
		for _, tier := range tiers[rapid.IntRange(0, 2).Draw(t, "hottest"):] {
			until += time.Duration(rapid.Int64Range(int64(time.Second), int64(20*time.Hour)).Draw(t, "length"))
			steps = append(steps, engagement.Step{
				Tier:  tier,
				Until: until,
				Every: time.Duration(rapid.Int64Range(int64(engagement.MinSnapshotGap), int64(5*time.Hour)).Draw(t, "every")),
			})
		}
		p, err := engagement.NewTierPolicy(steps)
		if err != nil {
			t.Fatalf("%+v: %v", steps, err)
		}
		return p
	})
}
