package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

func TestMissesCountOnlyWhenApart(t *testing.T) {
	t.Parallel()
	tweet := engagement.Tracking{Tier: engagement.Hot, NextUpdateAt: posted, Attempts: 2, Doubts: 1}
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
		{11 * time.Hour, 11 * time.Hour, 5, 11*time.Hour + 32*time.Minute},
		{12 * time.Hour, 12 * time.Hour, 6, 13 * time.Hour}, // capped
		{14 * time.Hour, 14 * time.Hour, 7, 15 * time.Hour},
	} {
		tweet = engagement.Miss(tweet, engagement.Absence{At: posted.Add(tc.look)}, 8, posted.Add(tc.now))
		if tweet.Misses != tc.misses || !tweet.RetryAt.Equal(posted.Add(tc.retry)) {
			t.Errorf("miss %d at %s: %d misses, retry at %s", i, tc.look, tweet.Misses, tweet.RetryAt.Sub(posted))
		}
		if tweet.Gone() || tweet.NextUpdateAt.IsZero() || tweet.Attempts != 0 || tweet.Doubts != 0 {
			t.Errorf("miss %d: %+v", i, tweet)
		}
	}
	tweet = engagement.Miss(tweet, engagement.Absence{At: posted.Add(20 * time.Hour)}, 8, posted.Add(20*time.Hour))
	if !tweet.Gone() || tweet.GoneReason != engagement.GoneMissing || tweet.Tier != engagement.Cold ||
		!tweet.NextUpdateAt.IsZero() || !tweet.RetryAt.IsZero() || tweet.Misses != 8 {
		t.Errorf("after the last miss: %+v", tweet)
	}
}

func TestTheReasonOfAGoneTweet(t *testing.T) {
	t.Parallel()
	gone := engagement.Tracking{Misses: 2, LastMissedAt: posted, NextUpdateAt: posted}
	at := posted.Add(time.Hour)
	if got := engagement.Miss(gone, engagement.Absence{At: at, Reason: "resource-not-found"}, 3, at); got.GoneReason != "resource-not-found" {
		t.Errorf("reason %q", got.GoneReason)
	}
	gone = engagement.Miss(gone, engagement.Absence{At: at}, 3, at)
	// Forced due, and looked for in vain: it stays as it is.
	forced := gone
	forced.NextUpdateAt = at
	for _, got := range []engagement.Tracking{
		engagement.Miss(forced, engagement.Absence{At: at}, 3, at),
		engagement.Doubt(forced, engagement.Absence{At: at}, at.Add(time.Hour)),
	} {
		if got != gone {
			t.Errorf("gone again: %+v, want %+v", got, gone)
		}
	}
}

func TestADoubtIsAFailureAndNoMiss(t *testing.T) {
	t.Parallel()
	before := engagement.Tracking{Tier: engagement.Hot, NextUpdateAt: posted, Misses: 2, LastMissedAt: posted, Attempts: 1}
	got := engagement.Doubt(before, engagement.Absence{At: posted}, posted.Add(time.Hour))
	want := before
	want.Attempts, want.Doubts, want.RetryAt = 2, 1, posted.Add(time.Hour)
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s := (engagement.Tracking{Doubts: 1, ObservedAt: posted}).Standing(); !s.Seen || !s.Doubted {
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

func TestGoneAfterIsChecked(t *testing.T) {
	t.Parallel()
	for n, good := range map[engagement.GoneAfter]bool{1: false, 2: true, 3: true, 20: true, 21: false, -1: false} {
		if err := n.Validate(); (err == nil) != good {
			t.Errorf("%d: %v", n, err)
		}
	}
}

// provider is a model of one: which tweets are there, and what goes wrong.
type provider struct {
	deleted map[int]bool
}

// answer is one look at the tweets, as the engine makes it: with a control where
// none of them is known to be there. It returns what is found; ok is false when no
// valid answer came.
func (p *provider) answer(t *rapid.T, ids []int) (found map[int]bool, ok bool) {
	fault := rapid.SampledFrom([]string{"", "", "", "error", "empty", "half"}).Draw(t, "fault")
	found = make(map[int]bool)
	for i, id := range ids {
		found[id] = !p.deleted[id] && (fault != "half" || i%2 == 0)
	}
	switch {
	case fault == "error", fault == "half" && len(ids) < 2*10:
		return nil, false // too few to tell a provider that drops half of them
	case fault == "empty":
		clear(found)
	}
	return found, true
}

// TestNoFaultDeletesATweet runs random answers and faults over a population: what
// is there never counts as gone, and what is deleted does after at most so many
// credible looks as it takes misses, each as soon as it is allowed to be.
func TestNoFaultDeletesATweet(t *testing.T) {
	t.Parallel()
	policy := engagement.DefaultTierPolicy()
	rapid.Check(t, func(t *rapid.T) {
		var (
			n      = rapid.IntRange(1, 60).Draw(t, "tweets")
			p      = provider{deleted: make(map[int]bool)}
			tweets = make([]engagement.Tracking, n)
			looks  = make([]int, n) // credible ones in a row that lacked it
			norm   engagement.Norm
			recent engagement.Recent
			now    = posted.Add(time.Minute)
		)
		for i := range tweets {
			tweets[i] = engagement.Tracking{CreatedAt: posted, ObservedAt: posted, NextUpdateAt: now, Tier: engagement.UltraHot}
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(1, 20*60).Draw(t, "seconds")) * time.Second)
			if id := rapid.IntRange(-3*n, n-1).Draw(t, "deleted"); id >= 0 {
				p.deleted[id] = true
			}
			var due []int
			for i, w := range tweets {
				if !w.NextUpdateAt.IsZero() && !w.NextUpdateAt.After(now) && !w.RetryAt.After(now) {
					due = append(due, i)
				}
			}
			found, ok := p.answer(t, due)
			var a engagement.Answer
			control := engagement.Standing{Seen: true}
			for _, id := range due {
				if ok {
					a.Add(tweets[id].Standing(), found[id])
				}
			}
			if ok && len(found) > 0 {
				a.Add(control, true)
			}
			verdict := a.Judge(norm, recent.Sum(now))
			if ok {
				recent.Add(now, a.Evidence())
				if verdict != engagement.Faulty {
					l := a.Lesson()
					norm.Looks += float64(l.Looks)
					norm.Misses = max(norm.Misses+float64(l.Misses), 0)
				}
			}
			for _, id := range due {
				absence := engagement.Absence{At: now}
				switch w := &tweets[id]; {
				case !ok:
					*w = engagement.Fail(*w, now.Add(time.Minute))
				case found[id]:
					u, err := engagement.Observe(policy, *w, engagement.Observation{At: now, Metrics: engagement.Metrics{Likes: engagement.Known(1)}}, now)
					if err != nil {
						t.Fatal(err)
					}
					*w, looks[id] = u.Tracking, 0
				case verdict == engagement.Credible:
					*w = engagement.Miss(*w, absence, 3, now)
					looks[id]++
				default:
					*w = engagement.Doubt(*w, absence, now.Add(time.Minute))
				}
			}
			for id, w := range tweets {
				if w.Gone() && !p.deleted[id] {
					t.Fatalf("tweet %d is there and counts as gone: %+v", id, w)
				}
				if p.deleted[id] && w.Gone() != (looks[id] >= 3) {
					t.Fatalf("tweet %d was missed in %d credible answers: %+v", id, looks[id], w)
				}
			}
		}
		// From here on the provider answers validly: within a quarter of an hour for
		// the memory of faults, an hour for the longest back-off and six minutes for
		// the misses, every deleted tweet that is still looked at is found out.
		for end := now.Add(recentBound); now.Before(end); now = now.Add(30 * time.Second) {
			var a engagement.Answer
			a.Add(engagement.Standing{Seen: true}, true)
			var due []int
			for i, w := range tweets {
				if p.deleted[i] && !w.NextUpdateAt.IsZero() && !w.RetryAt.After(now) {
					due = append(due, i)
					a.Add(w.Standing(), false)
				}
			}
			verdict := a.Judge(norm, recent.Sum(now))
			recent.Add(now, a.Evidence())
			for _, id := range due {
				if verdict == engagement.Credible {
					tweets[id] = engagement.Miss(tweets[id], engagement.Absence{At: now}, 3, now)
				} else {
					tweets[id] = engagement.Doubt(tweets[id], engagement.Absence{At: now}, now.Add(time.Minute))
				}
			}
		}
		for id := range p.deleted {
			if !tweets[id].Gone() && !tweets[id].NextUpdateAt.IsZero() {
				t.Fatalf("deleted tweet %d was not found out: %+v", id, tweets[id])
			}
		}
	})
}

// recentBound is how long finding a deleted tweet takes at most from when it is
// first looked at while the provider answers validly: 15 min until no fault is
// remembered, rounded up to the minute, the longest back-off of an hour, and the
// gaps between three misses of 2 and 4 min, with the grain of the test added.
const recentBound = 16*time.Minute + time.Hour + 6*time.Minute + 2*time.Minute
