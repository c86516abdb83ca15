package engagement_test

import (
	"slices"
	"testing"
	"time"

	"gorgone/engagement"
)

// usual is the rule that applies when nothing is set.
var usual = engagement.GoneRule{Misses: engagement.DefaultGoneAfter, Span: engagement.DefaultGoneSpan}

func TestMissesCountOnlyWhenApart(t *testing.T) {
	t.Parallel()
	tweet := engagement.Tracking{Tier: engagement.Hot, NextUpdateAt: posted, ObservedAt: posted, Attempts: 2, Doubts: 1}
	for i, tc := range []struct {
		look, now time.Duration // look: when it began
		misses    int
		retry     time.Duration
	}{
		{0, 0, 1, 2 * time.Minute},
		{time.Minute, time.Minute, 1, 2 * time.Minute},      // the same moment of the provider
		{time.Minute, 20 * time.Minute, 1, 2 * time.Minute}, // written late
		{2 * time.Minute, 2 * time.Minute, 2, 6 * time.Minute},
		{9 * time.Hour, 6 * time.Minute, 3, 14 * time.Minute}, // a clock that is ahead
		{10 * time.Hour, 10 * time.Hour, 4, 10*time.Hour + 16*time.Minute},
		{10*time.Hour + 5*time.Minute, 10*time.Hour + 5*time.Minute, 4, 10*time.Hour + 16*time.Minute}, // by a refresh
		{11 * time.Hour, 11 * time.Hour, 5, 11*time.Hour + 32*time.Minute},
		{2 * time.Hour, 2 * time.Hour, 5, 2*time.Hour + 32*time.Minute}, // the clock was set back
		{12 * time.Hour, 12 * time.Hour, 6, 13*time.Hour + 4*time.Minute},
	} {
		tweet = engagement.Miss(tweet, engagement.Absence{At: posted.Add(tc.look)}, usual, posted.Add(tc.now))
		if tweet.Misses != tc.misses || !tweet.RetryAt.Equal(posted.Add(tc.retry)) {
			t.Errorf("miss %d at %s: %d misses, retry at %s", i, tc.look, tweet.Misses, tweet.RetryAt.Sub(posted))
		}
		if tweet.Gone() || tweet.NextUpdateAt.IsZero() || tweet.Attempts != 0 || tweet.Doubts != 0 {
			t.Errorf("miss %d: %+v", i, tweet)
		}
	}
}

// TestHowLongATweetMustBeMissing looks a deleted tweet up whenever the rule says so.
func TestHowLongATweetMustBeMissing(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, tc := range map[string]struct {
		rule    engagement.GoneRule
		unseen  bool
		took    time.Duration
		lookups int
	}{
		"usual":                       {rule: usual, took: day, lookups: 13},
		"never seen":                  {rule: usual, unseen: true, took: 2 * day, lookups: 15},
		"held":                        {rule: engagement.GoneRule{Misses: 3, Span: usual.Span, Held: true}, took: 7 * day, lookups: 25},
		"held, never seen":            {rule: engagement.GoneRule{Misses: 3, Span: usual.Span, Held: true}, unseen: true, took: 14 * day, lookups: 39},
		"a short span":                {rule: engagement.GoneRule{Misses: 3, Span: engagement.GoneSpan(10 * time.Minute)}, took: 10 * time.Minute, lookups: 6},
		"a short span and many looks": {rule: engagement.GoneRule{Misses: 9, Span: engagement.GoneSpan(10 * time.Minute)}, took: 25 * time.Minute, lookups: 9},
	} {
		tweet := engagement.Tracking{Tier: engagement.Hot, NextUpdateAt: posted, ObservedAt: posted.Add(-time.Hour), RetryAt: posted}
		if tc.unseen {
			tweet.ObservedAt = time.Time{}
		}
		at, lookups := posted, 0
		for !tweet.Gone() && lookups < 100 {
			at = tweet.RetryAt
			tweet = engagement.Miss(tweet, engagement.Absence{At: at}, tc.rule, at)
			lookups++
		}
		if took := at.Sub(posted); took != tc.took || lookups != tc.lookups {
			t.Errorf("%s: gone after %s and %d look-ups, want %s and %d", name, took, lookups, tc.took, tc.lookups)
		}
		if tweet.GoneReason != engagement.GoneMissing || tweet.Tier != engagement.Cold || !tweet.NextUpdateAt.IsZero() || !tweet.LastMissedAt.Equal(at) {
			t.Errorf("%s: %+v", name, tweet)
		}
	}
}

// TestAGoneTweetIsCheckedLessAndLess: each check that finds nothing doubles the wait, and
// after two months there is none.
func TestAGoneTweetIsCheckedLessAndLess(t *testing.T) {
	t.Parallel()
	gone := goneAt(posted)
	var checks []time.Duration
	for !gone.RetryAt.IsZero() && len(checks) < 100 {
		at := gone.RetryAt
		checks = append(checks, at.Sub(posted)/(24*time.Hour))
		forced := gone
		forced.NextUpdateAt, forced.RetryAt = at, time.Time{} // as the re-check makes it due
		gone = engagement.Miss(forced, engagement.Absence{At: at}, usual, at)
		if !gone.Gone() || !gone.NextUpdateAt.IsZero() || !gone.LastMissedAt.Equal(posted) {
			t.Fatalf("after a check: %+v", gone)
		}
	}
	if want := []time.Duration{1, 2, 4, 8, 16, 32, 64}; !slices.Equal(checks, want) {
		t.Errorf("checked on days %d, want %d", checks, want)
	}
}

// goneAt is a tweet that was called gone at the given time.
func goneAt(at time.Time) engagement.Tracking {
	t := engagement.Tracking{ObservedAt: at.Add(-25 * time.Hour), Misses: 12, LastMissedAt: at.Add(-4 * time.Hour), NextUpdateAt: at}
	return engagement.Miss(t, engagement.Absence{At: at}, usual, at)
}

func TestTheReasonOfAGoneTweet(t *testing.T) {
	t.Parallel()
	missing := engagement.Tracking{Misses: 12, ObservedAt: posted, LastMissedAt: posted, NextUpdateAt: posted}
	at := posted.Add(5 * time.Hour)
	if got := engagement.Miss(missing, engagement.Absence{At: at, Reason: "resource-not-found"}, usual, at); got.GoneReason != "resource-not-found" {
		t.Errorf("reason %q", got.GoneReason)
	}
	gone := engagement.Miss(missing, engagement.Absence{At: at}, usual, at)
	// Forced due, and looked for in vain: it stays as it is.
	forced := gone
	forced.NextUpdateAt = at
	for _, got := range []engagement.Tracking{
		engagement.Miss(forced, engagement.Absence{At: at}, usual, at),
		engagement.MissUnproven(forced, engagement.Absence{At: at}, at.Add(time.Hour)),
	} {
		if got != gone {
			t.Errorf("gone again: %+v, want %+v", got, gone)
		}
	}
	// So it does when the look-ups fail.
	for range 3 {
		forced = engagement.CoolDown(engagement.DefaultTierPolicy(), engagement.Fail(forced, at.Add(time.Minute)), at)
	}
	if forced != gone {
		t.Errorf("gone, and not looked up: %+v, want %+v", forced, gone)
	}
}

func TestADoubtIsAFailureAndNoMiss(t *testing.T) {
	t.Parallel()
	before := engagement.Tracking{Tier: engagement.Hot, NextUpdateAt: posted, Misses: 2, LastMissedAt: posted, Attempts: 1}
	got := engagement.MissUnproven(before, engagement.Absence{At: posted}, posted.Add(time.Hour))
	want := before
	want.Attempts, want.Doubts, want.RetryAt = 2, 1, posted.Add(time.Hour)
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s := (engagement.Tracking{Doubts: 1, ObservedAt: posted}).PriorState(); !s.Observed || !s.InDoubt {
		t.Errorf("standing %+v", s)
	}
}

func TestATweetThatComesBackIsRevived(t *testing.T) {
	t.Parallel()
	p := engagement.DefaultTierPolicy()
	now := posted.Add(2 * time.Hour)
	gone := engagement.Tracking{
		CreatedAt: posted, Tier: engagement.Cold, Misses: 3, Attempts: 1, Doubts: 1, LastMissedAt: posted.Add(time.Hour), GoneReason: "missing",
		ObservedAt: posted.Add(time.Minute), UpdateCount: 1,
	}
	u, err := engagement.Observe(p, gone, engagement.Observation{At: now, Metrics: engagement.Metrics{Likes: engagement.Known(3)}}, now)
	if err != nil {
		t.Fatal(err)
	}
	tracked := engagement.Revive(p, gone, now)
	for name, got := range map[string]engagement.Tracking{"observed": u.Tracking, "tracked again": tracked} {
		if got.Gone() || got.Misses != 0 || got.Doubts != 0 || got.Attempts != 0 || !got.LastMissedAt.IsZero() || got.Tier != engagement.Hot || got.NextUpdateAt.IsZero() {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if !u.Tracking.NextUpdateAt.After(now) || !tracked.NextUpdateAt.Equal(now) {
		t.Errorf("next looks %s, %s", u.Tracking.NextUpdateAt, tracked.NextUpdateAt)
	}
	if old := engagement.Revive(p, gone, posted.Add(99*time.Hour)); old.NextUpdateAt.IsZero() {
		t.Error("an old tweet that is tracked again gets no look")
	}
}

func TestGoneSpanIsChecked(t *testing.T) {
	t.Parallel()
	for span, good := range map[time.Duration]bool{4 * time.Minute: false, 5 * time.Minute: true, 720 * time.Hour: true, 721 * time.Hour: false, -time.Hour: false} {
		if err := engagement.GoneSpan(span).Validate(); (err == nil) != good {
			t.Errorf("%s: %v", span, err)
		}
	}
}

func TestGoneAfterIsChecked(t *testing.T) {
	t.Parallel()
	for n, good := range map[engagement.GoneAfter]bool{1: false, 2: true, 3: true, 20: true, 21: false, -1: false} {
		if err := n.Validate(); (err == nil) != good {
			t.Errorf("%d: %v", n, err)
		}
	}
}
