package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestSelective(t *testing.T) {
	t.Parallel()
	policy := engagement.Selective{Policy: engagement.DefaultTierPolicy(), Minimum: 10}
	likes := func(n int64) engagement.Metrics { return engagement.Metrics{Likes: engagement.Known(n)} }
	track := func(m engagement.Metrics) engagement.Tracking {
		u, err := engagement.Track(policy, engagement.Tracking{CreatedAt: posted, Metrics: m}, posted.Add(2*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return u.Tracking
	}
	look := func(k engagement.Tracking, n int64, at time.Time) engagement.Tracking {
		u, err := engagement.Observe(policy, k, engagement.Observation{At: at, Metrics: likes(n)}, at)
		if err != nil {
			t.Fatal(err)
		}
		return u.Tracking
	}
	second := posted.Add(2*time.Minute + engagement.SecondLookup)

	enough := track(likes(10))
	if !enough.NextUpdateAt.Equal(posted.Add(10 * time.Minute)) {
		t.Errorf("with enough: next look at %s", enough.NextUpdateAt)
	}
	little := track(likes(9))
	if !little.NextUpdateAt.Equal(second) {
		t.Errorf("with too little: next look at %s, want %s", little.NextUpdateAt, second)
	}
	early := look(little, 9, posted.Add(30*time.Minute))
	if !early.NextUpdateAt.Equal(second) {
		t.Errorf("a refresh in between moved the second look to %s", early.NextUpdateAt)
	}
	if grown := look(early, 50, second); grown.NextUpdateAt.IsZero() || grown.Tier == engagement.Cold {
		t.Errorf("grown by the second look: %+v", grown)
	}
	left := look(early, 9, second)
	if !left.NextUpdateAt.IsZero() || left.Tier != engagement.Cold {
		t.Errorf("still little at the second look: %+v", left)
	}
	if again := look(left, 9, second.Add(time.Minute)); !again.NextUpdateAt.IsZero() {
		t.Errorf("a refresh of one left alone: %+v", again)
	}
	if back := look(left, 500, second.Add(time.Minute)); back.NextUpdateAt.IsZero() {
		t.Errorf("a refresh that shows enough: %+v", back)
	}
	unknown := track(engagement.Metrics{})
	if !unknown.NextUpdateAt.Equal(posted.Add(2 * time.Minute)) {
		t.Errorf("counts not known: next look at %s, want at once", unknown.NextUpdateAt)
	}
	if first := look(unknown, 3, posted.Add(3*time.Minute)); !first.NextUpdateAt.Equal(posted.Add(3*time.Minute + engagement.SecondLookup)) {
		t.Errorf("after a first look with too little: %+v", first)
	}
}

// TestSelectiveOnlyEverSaves: with enough engagement, or no minimum, it is the
// policy it wraps; otherwise it never looks sooner than that, nor in the past.
func TestSelectiveOnlyEverSaves(t *testing.T) {
	t.Parallel()
	inner := engagement.DefaultTierPolicy()
	rapid.Check(t, func(t *rapid.T) {
		k := engagement.Tracking{CreatedAt: posted, Metrics: metrics().Draw(t, "metrics")}
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(14*time.Hour)).Draw(t, "age")))
		if rapid.Bool().Draw(t, "seen") {
			k.SnapshotAt = posted
			k.NextUpdateAt = now.Add(time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "due")))
		}
		least := rapid.Int64Range(-1, 1_000_000).Draw(t, "minimum")
		tier, next := engagement.Selective{Policy: inner, Minimum: least}.Schedule(k, now)
		innerTier, innerNext := inner.Schedule(k, now)
		switch {
		case k.Metrics.Total() >= least:
			if tier != innerTier || !next.Equal(innerNext) {
				t.Fatalf("with enough: %s %s, want %s %s", tier, next, innerTier, innerNext)
			}
		case !next.IsZero() && !next.After(now):
			t.Fatalf("the next look is not in the future: %s, now %s", next, now)
		case next.IsZero() != (tier == engagement.Cold):
			t.Fatalf("%s and next %s", tier, next)
		}
	})
}
