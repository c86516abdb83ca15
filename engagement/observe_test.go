package engagement_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func counts(retweets, replies, likes, quotes, views, bookmarks int64) engagement.Metrics {
	k := engagement.Known
	return engagement.Metrics{
		Retweets: k(retweets), Replies: k(replies), Likes: k(likes),
		Quotes: k(quotes), Views: k(views), Bookmarks: k(bookmarks),
	}
}

func track(t *testing.T, known engagement.Metrics, age time.Duration) engagement.Update {
	t.Helper()
	u, err := engagement.Track(engagement.DefaultTierPolicy(), engagement.Tracking{CreatedAt: posted, Metrics: known}, posted.Add(age))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func observe(t *testing.T, prev engagement.Tracking, m engagement.Metrics, age time.Duration) engagement.Update {
	t.Helper()
	at := posted.Add(age)
	u, err := engagement.Observe(engagement.DefaultTierPolicy(), prev, engagement.Observation{At: at, Metrics: m}, at.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestTrackWithKnownCountsMakesABaseline(t *testing.T) {
	t.Parallel()
	u := track(t, counts(1, 2, 3, 4, 500, 6), 5*time.Minute)
	if u.Snapshot == nil || u.Snapshot.Velocity != nil || u.Snapshot.Deltas.Likes != engagement.Known(0) {
		t.Errorf("baseline %+v", u.Snapshot)
	}
	if want := posted.Add(10 * time.Minute); !u.Tracking.NextUpdateAt.Equal(want) {
		t.Errorf("first look %s, want %s", u.Tracking.NextUpdateAt, want)
	}

	second := observe(t, u.Tracking, counts(2, 2, 9, 4, 800, 6), 20*time.Minute)
	if v := second.Snapshot.Velocity; v == nil || math.Abs(*v-7/0.25) > 1e-9 {
		t.Errorf("velocity %v, want 28 an hour (7 engagements in 15 min)", v)
	}
	if d := second.Snapshot.Deltas; d.Views != engagement.Known(300) || d.Quotes != engagement.Known(0) {
		t.Errorf("deltas %+v", d)
	}
}

func TestTrackWithoutCountsIsDueAtOnce(t *testing.T) {
	t.Parallel()
	u := track(t, engagement.Metrics{}, 5*time.Minute)
	if u.Snapshot != nil {
		t.Errorf("a snapshot of nothing: %+v", u.Snapshot)
	}
	if !u.Tracking.NextUpdateAt.Equal(posted.Add(5 * time.Minute)) {
		t.Errorf("first look %s", u.Tracking.NextUpdateAt)
	}
}

func TestOldTweetGetsOneLookThenGoesCold(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]engagement.Metrics{"counts known": counts(1, 1, 1, 1, 1, 1), "none known": {}} {
		u := track(t, known, 40*time.Hour)
		if u.Tracking.NextUpdateAt.IsZero() {
			t.Fatalf("%s: never looked at", name)
		}
		after := observe(t, u.Tracking, counts(9, 9, 9, 9, 9, 9), 41*time.Hour)
		if after.Tracking.Tier != engagement.Cold || !after.Tracking.NextUpdateAt.IsZero() || after.Snapshot == nil {
			t.Errorf("%s: after its look: %+v", name, after)
		}
	}
}

func TestObserveCarriesOverWhatIsAbsent(t *testing.T) {
	t.Parallel()
	first := observe(t, track(t, engagement.Metrics{}, 0).Tracking, counts(1, 1, 1, 1, 900, 7), time.Minute)
	if first.Snapshot.Velocity != nil {
		t.Error("the first snapshot has a velocity")
	}
	partial := counts(2, 1, 1, 1, 0, 0)
	partial.Views, partial.Bookmarks = engagement.Count{}, engagement.Count{}
	u := observe(t, first.Tracking, partial, 10*time.Minute)
	if want := counts(2, 1, 1, 1, 900, 7); u.Tracking.Metrics != want {
		t.Errorf("counts %+v, want %+v", u.Tracking.Metrics, want)
	}
	if u.Snapshot.Deltas.Views != engagement.Known(0) {
		t.Errorf("delta of views %v, want 0", u.Snapshot.Deltas.Views)
	}
}

func TestDeltaOfACountSeenForTheFirstTimeIsAbsent(t *testing.T) {
	t.Parallel()
	without := counts(1, 1, 1, 1, 0, 0)
	without.Views = engagement.Count{}
	first := observe(t, track(t, engagement.Metrics{}, 0).Tracking, without, time.Minute)
	u := observe(t, first.Tracking, counts(1, 1, 1, 1, 5000, 0), 10*time.Minute)
	if u.Snapshot.Deltas.Views.Known() {
		t.Errorf("delta of views %v: a count that was unknown did not rise by all of itself", u.Snapshot.Deltas.Views)
	}
}

func TestViewsNeverFallAndLikesMay(t *testing.T) {
	t.Parallel()
	first := observe(t, track(t, engagement.Metrics{}, 0).Tracking, counts(10, 10, 10, 10, 1000, 10), time.Minute)
	u := observe(t, first.Tracking, counts(10, 10, 4, 10, 0, 10), 10*time.Minute)
	if want := counts(10, 10, 4, 10, 1000, 10); u.Tracking.Metrics != want {
		t.Errorf("counts %+v, want %+v", u.Tracking.Metrics, want)
	}
	if v := *u.Snapshot.Velocity; v >= 0 {
		t.Errorf("velocity %v after likes fell", v)
	}
}

func TestObservationWithinAMinuteAddsNoSnapshot(t *testing.T) {
	t.Parallel()
	first := observe(t, track(t, engagement.Metrics{}, 0).Tracking, counts(0, 0, 10, 0, 100, 0), 10*time.Minute)
	refresh := observe(t, first.Tracking, counts(0, 0, 13, 0, 130, 0), 10*time.Minute+40*time.Second)
	if refresh.Snapshot != nil {
		t.Fatalf("snapshot 40 s after the last: %+v", refresh.Snapshot)
	}
	if refresh.Tracking.Metrics.Likes != engagement.Known(13) || !refresh.Tracking.ObservedAt.After(first.Tracking.ObservedAt) {
		t.Errorf("counts or time not updated: %+v", refresh.Tracking)
	}
	next := observe(t, refresh.Tracking, counts(0, 0, 20, 0, 150, 0), 20*time.Minute)
	if d := next.Snapshot.Deltas; d.Likes != engagement.Known(10) || d.Views != engagement.Known(50) {
		t.Errorf("the next delta does not span both: %+v", d)
	}
	if v := *next.Snapshot.Velocity; math.Abs(v-60) > 1e-9 {
		t.Errorf("velocity %v, want 60 an hour", v)
	}
}

func TestObserveRefuses(t *testing.T) {
	t.Parallel()
	prev := observe(t, track(t, engagement.Metrics{}, 0).Tracking, counts(1, 1, 1, 1, 1, 1), time.Hour).Tracking
	now := posted.Add(2 * time.Hour)
	for name, tc := range map[string]struct {
		at   time.Time
		m    engagement.Metrics
		want error
	}{
		"the same moment": {posted.Add(time.Hour), counts(1, 1, 1, 1, 1, 1), engagement.ErrStale},
		"an older moment": {posted.Add(time.Minute), counts(1, 1, 1, 1, 1, 1), engagement.ErrStale},
		"the future":      {now.Add(6 * time.Second), counts(1, 1, 1, 1, 1, 1), engagement.ErrFuture},
		"3e9 views":       {now, counts(1, 1, 1, 1, 3e9, 1), engagement.ErrOutOfRange},
		"negative likes":  {now, counts(1, 1, -1, 1, 1, 1), engagement.ErrOutOfRange},
		"negative views":  {now, counts(1, 1, 1, 1, -5, 1), engagement.ErrOutOfRange},
	} {
		_, err := engagement.Observe(engagement.DefaultTierPolicy(), prev, engagement.Observation{At: tc.at, Metrics: tc.m}, now)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
	// A carried-over count can push the total out of range as well.
	likes := engagement.Metrics{Likes: engagement.Known(engagement.MaxCount)}
	_, err := engagement.Observe(engagement.DefaultTierPolicy(), prev, engagement.Observation{At: now, Metrics: likes}, now)
	if !errors.Is(err, engagement.ErrOutOfRange) {
		t.Errorf("total out of range: %v", err)
	}
}

// TestHistoryTelescopes runs a random life of a tweet and checks what the
// product relies on: the deltas add up, velocity has the sign of its delta, views
// never fall, the next look-up lies ahead, and an observation applied twice changes
// nothing.
func TestHistoryTelescopes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		policy := tierPolicy().Draw(t, "policy")
		now := posted.Add(time.Duration(rapid.Int64Range(0, int64(time.Hour)).Draw(t, "collected at age")))
		u, err := engagement.Track(policy, engagement.Tracking{CreatedAt: posted, Metrics: metrics().Draw(t, "baseline")}, now)
		if err != nil {
			t.Fatal(err)
		}
		var history []engagement.Snapshot
		if u.Snapshot != nil {
			history = append(history, *u.Snapshot)
		}
		for range rapid.IntRange(1, 12).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.Int64Range(1, int64(3*time.Hour)).Draw(t, "wait")))
			prev := u.Tracking
			o := engagement.Observation{At: now, Metrics: metrics().Draw(t, "counts")}
			next, err := engagement.Observe(policy, prev, o, now)
			if err != nil {
				if errors.Is(err, engagement.ErrOutOfRange) {
					continue // carried-over counts can add up to too much
				}
				t.Fatal(err)
			}
			u = next
			if u.Tracking.Metrics.Views.Value() < prev.Metrics.Views.Value() {
				t.Fatalf("views fell from %v to %v", prev.Metrics.Views, u.Tracking.Metrics.Views)
			}
			if at := u.Tracking.NextUpdateAt; !at.IsZero() && !at.After(now) {
				t.Fatalf("next look %s is not after %s", at, now)
			}
			if again, err := engagement.Observe(policy, u.Tracking, o, now); !errors.Is(err, engagement.ErrStale) {
				t.Fatalf("the same observation again: %+v, %v", again, err)
			}
			if u.Snapshot == nil {
				continue
			}
			if v := u.Snapshot.Velocity; v != nil && !u.Tracking.Gap.Until.Equal(now) && sign(*v) != sign(float64(u.Snapshot.Deltas.Total().Value())) {
				t.Fatalf("velocity %v with deltas %+v", *v, u.Snapshot.Deltas)
			}
			history = append(history, *u.Snapshot)
		}
		checkTelescopes(t, history)
	})
}

func checkTelescopes(t *rapid.T, history []engagement.Snapshot) {
	for i, s := range history {
		if i > 0 && s.At.Sub(history[i-1].At) < engagement.MinSnapshotGap {
			t.Fatalf("snapshots %s apart", s.At.Sub(history[i-1].At))
		}
	}
	for name, get := range map[string]func(engagement.Snapshot) (count, delta engagement.Count){
		"retweets": func(s engagement.Snapshot) (a, b engagement.Count) { return s.Metrics.Retweets, s.Deltas.Retweets },
		"replies":  func(s engagement.Snapshot) (a, b engagement.Count) { return s.Metrics.Replies, s.Deltas.Replies },
		"likes":    func(s engagement.Snapshot) (a, b engagement.Count) { return s.Metrics.Likes, s.Deltas.Likes },
		"quotes":   func(s engagement.Snapshot) (a, b engagement.Count) { return s.Metrics.Quotes, s.Deltas.Quotes },
		"views":    func(s engagement.Snapshot) (a, b engagement.Count) { return s.Metrics.Views, s.Deltas.Views },
	} {
		var baseline, last engagement.Count
		var sum int64
		for _, s := range history {
			c, delta := get(s)
			baseline = baseline.Or(c)
			last = c.Or(last)
			sum += delta.Value()
		}
		if last.Known() && sum != last.Value()-baseline.Value() {
			t.Fatalf("%s: deltas add up to %d, last %v - baseline %v", name, sum, last, baseline)
		}
	}
}

func sign(f float64) int {
	switch {
	case f > 0:
		return 1
	case f < 0:
		return -1
	default:
		return 0
	}
}

// Two providers count a little differently: a step from one to the other is no
// velocity of the tweet's.
func TestChangeOfProviderIsMarked(t *testing.T) {
	t.Parallel()
	policy := engagement.DefaultTierPolicy()
	look := func(prev engagement.Tracking, provider string, likes int64, after time.Duration) engagement.Update {
		t.Helper()
		at := posted.Add(after)
		u, err := engagement.Observe(policy, prev, engagement.Observation{At: at, Metrics: counts(0, 0, likes, 0, 0, 0), Provider: provider}, at)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	k := track(t, counts(0, 0, 1, 0, 0, 0), 0).Tracking // collected by another program
	for i, step := range []struct {
		provider string
		changed  bool
	}{
		{"a", false}, {"a", false}, {"b", true}, {"b", false}, {"", false}, {"b", false}, {"a", true},
	} {
		u := look(k, step.provider, int64(10*(i+1)), time.Duration(i+1)*10*time.Minute)
		if s := u.Snapshot; s.Provider != step.provider || s.ProviderChanged != step.changed || (s.Velocity == nil) != step.changed {
			t.Errorf("look %d by %q: %+v", i, step.provider, s)
		}
		if d := u.Snapshot.Deltas.Likes; i > 0 && d != engagement.Known(10) {
			t.Errorf("look %d: delta %v; the deltas must add up whoever counts", i, d)
		}
		k = u.Tracking
	}
	// A look-up that adds no snapshot leaves the mark to the next one.
	k = look(engagement.Tracking{CreatedAt: posted}, "a", 1, 10*time.Minute).Tracking
	k = look(k, "b", 2, 10*time.Minute+20*time.Second).Tracking
	if s := look(k, "b", 3, 20*time.Minute).Snapshot; !s.ProviderChanged {
		t.Errorf("the first snapshot of another provider is not marked: %+v", s)
	}
}
