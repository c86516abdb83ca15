package engagement_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorgone/engagement"
)

// answerOf makes an answer: of the tweets that ought to be there, of those never
// seen, and of those in doubt, so many were found and so many not.
func answerOf(expected, lost, fresh, freshLost, back, stillLost int) engagement.Answer {
	var a engagement.Answer
	add := func(s engagement.PriorState, found, missing int) {
		for range found {
			a.Add(s, true)
		}
		for range missing {
			a.Add(s, false)
		}
	}
	add(engagement.PriorState{Observed: true}, expected, lost)
	add(engagement.PriorState{}, fresh, freshLost)
	add(engagement.PriorState{Observed: true, InDoubt: true}, back, stillLost)
	return a
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer engagement.Answer
		norm   engagement.Baseline
		recent engagement.Sample
		want   engagement.Credibility
	}{
		"all there":                        {answer: answerOf(50, 0, 0, 0, 0, 0), want: engagement.Credible},
		"one of fifty":                     {answer: answerOf(49, 1, 0, 0, 0, 0), want: engagement.Credible},
		"three of fifty":                   {answer: answerOf(47, 3, 0, 0, 0, 0), want: engagement.Credible},
		"six of fifty":                     {answer: answerOf(44, 6, 0, 0, 0, 0), want: engagement.Faulty},
		"six of fifty where many go":       {answer: answerOf(44, 6, 0, 0, 0, 0), norm: engagement.Baseline{Lookups: 1e6, Misses: 5e4}, want: engagement.Credible},
		"half where half go, they say":     {answer: answerOf(25, 25, 0, 0, 0, 0), norm: engagement.Baseline{Lookups: 1e6, Misses: 5e5}, want: engagement.Faulty},
		"five of ten":                      {answer: answerOf(5, 5, 0, 0, 0, 0), want: engagement.Faulty},
		"five of nine":                     {answer: answerOf(4, 5, 0, 0, 0, 0), want: engagement.Credible},
		"five of nine, after others":       {answer: answerOf(4, 5, 0, 0, 0, 0), recent: engagement.Sample{Lookups: 8, Misses: 2}, want: engagement.Unproven},
		"none of ten never seen":           {answer: answerOf(0, 0, 0, 10, 0, 0), want: engagement.Faulty},
		"none of nine":                     {answer: answerOf(0, 9, 0, 0, 0, 0), want: engagement.Unproven},
		"a lone one":                       {answer: answerOf(0, 1, 0, 0, 0, 0), want: engagement.Unproven},
		"a lone one and its control":       {answer: answerOf(1, 1, 0, 0, 0, 0), want: engagement.Credible},
		"most of those never seen":         {answer: answerOf(1, 0, 10, 40, 0, 0), want: engagement.Credible},
		"deleted ones, looked for again":   {answer: answerOf(1, 0, 0, 0, 0, 49), want: engagement.Credible},
		"deleted ones and a dead control":  {answer: answerOf(0, 1, 0, 0, 0, 49), want: engagement.Faulty},
		"missed ones that are back":        {answer: answerOf(1, 0, 0, 0, 20, 2), want: engagement.Unproven},
		"a missed one that is back":        {answer: answerOf(40, 0, 0, 0, 1, 1), want: engagement.Credible},
		"a healthy one while drops go on":  {answer: answerOf(50, 0, 0, 0, 0, 1), recent: engagement.Sample{Lookups: 500, Misses: 40}, want: engagement.Unproven},
		"a healthy one after a quiet hour": {answer: answerOf(50, 1, 0, 0, 0, 1), recent: engagement.Sample{Lookups: 100000, Misses: 480}, want: engagement.Credible},
	} {
		if got := tc.answer.Credibility(tc.norm, tc.recent); got != tc.want {
			t.Errorf("%s: verdict %d, want %d", name, got, tc.want)
		}
	}
}

// TestLossesThatTurnOutFalseAreNotLearnt: a provider that drops tweets for a while
// does not make that normal, one whose tweets really go does.
func TestLossesThatTurnOutFalseAreNotLearnt(t *testing.T) {
	t.Parallel()
	var dropped, gone engagement.Baseline
	learn := func(n *engagement.Baseline, a engagement.Answer) {
		n.Lookups += float64(a.BaselineSample().Lookups)
		n.Misses = max(n.Misses+float64(a.BaselineSample().Misses), 0)
	}
	for range 1000 {
		learn(&dropped, answerOf(48, 2, 0, 0, 0, 0)) // then they are back
		learn(&dropped, answerOf(50, 0, 0, 0, 2, 0))
		learn(&gone, answerOf(48, 2, 0, 0, 0, 0)) // and stay away
		learn(&gone, answerOf(50, 0, 0, 0, 0, 2))
	}
	if dropped.MissRate() != (engagement.Baseline{}).MissRate() {
		t.Errorf("drops became the norm: %g", dropped.MissRate())
	}
	if r := gone.MissRate(); r < 0.019 || r > 0.021 {
		t.Errorf("norm %g, want 2 %%", r)
	}
	// However much is taught, and in whatever order.
	for _, n := range []engagement.Baseline{{Lookups: 1e9, Misses: 1e9}, {Misses: 1e9}, {Lookups: -5, Misses: -7}, {Lookups: 1e12}} {
		if r := n.MissRate(); r < 0.005 || r > 0.05 {
			t.Errorf("norm of %+v: %g", n, r)
		}
	}
}

// TestAnHonestProviderIsSeldomTakenForAFaultyOne draws answers by chance, at the
// norm, and counts.
func TestAnHonestProviderIsSeldomTakenForAFaultyOne(t *testing.T) {
	t.Parallel()
	norm := engagement.Baseline{Lookups: 1e6, Misses: 2e4}
	rapid.Check(t, func(t *rapid.T) {
		// 50 tweets, each gone with a chance of one in a hundred: 8 or more are rarer
		// than one in a million.
		var a engagement.Answer
		for range 50 {
			a.Add(engagement.PriorState{Observed: true}, rapid.IntRange(1, 100).Draw(t, "one in a hundred") > 1)
		}
		if a.Expected.Misses <= 6 && a.Credibility(norm, engagement.Sample{}) != engagement.Credible {
			t.Fatalf("%+v is not credible", a)
		}
		if a.Expected.Misses >= 10 && a.Credibility(norm, engagement.Sample{}) == engagement.Credible {
			t.Fatalf("%+v is credible", a)
		}
	})
}

func TestRecentForgets(t *testing.T) {
	t.Parallel()
	var r engagement.SampleWindow
	at := posted
	for range 60 {
		r.Add(at, engagement.Sample{Lookups: 10, Misses: 1})
		at = at.Add(time.Minute)
	}
	r.Add(posted, engagement.Sample{Lookups: 1000}) // long over
	if got := r.Sum(at.Add(-time.Minute)); got != (engagement.Sample{Lookups: 150, Misses: 15}) {
		t.Errorf("of the last quarter of an hour: %+v", got)
	}
	if got := r.Sum(at.Add(20 * time.Minute)); got != (engagement.Sample{}) {
		t.Errorf("after a quiet time: %+v", got)
	}
}
