package lookup

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"gorgone/engagement"
	"gorgone/twitter"
)

const (
	// shareMissRateEvery is how often, in real time, replicas tell each other how often
	// tweets disappear.
	shareMissRateEvery = 30 * time.Second

	// databaseTimeout bounds questions to the database that a look-up can do without.
	databaseTimeout = 2 * time.Second

	// recentTweets is how many tweets are remembered as existing. Half of them are
	// forgotten when there are so many.
	recentTweets = 64
)

// ErrImplausible is a valid answer that lacks far more tweets than an honest one does.
var ErrImplausible = errors.New("tweets that ought to be there are not in its answer")

// ErrUnusable is a valid answer of which most tweets cannot be used: their counters or
// ids are not what was asked for.
var ErrUnusable = errors.New("tweets in its answer cannot be used")

// credibility is what a replica knows about how far the provider's answers can be
// believed. It is safe for concurrent use.
type credibility struct {
	mu       sync.Mutex
	baseline engagement.Baseline // how often tweets really disappear
	recent   engagement.SampleWindow
	unusable engagement.SampleWindow // tweets in answers, as misses those that cannot be used
	odd      engagement.SampleWindow // tweets found, as misses those with counters that cannot be read
	oddTold  bool                    // of that share
	learnt   engagement.Sample       // not shared yet
	shareAt  time.Time               // database time
	found    []string                // tweets found lately, the last one last
}

// remember remembers some of the tweets that an answer had, and forgets those that it
// lacked.
func (k *credibility) remember(a *twitter.Answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range a.Found[:min(len(a.Found), 8)] {
		if !slices.Contains(k.found, f.ID) {
			k.found = append(k.found, f.ID)
		}
	}
	if len(k.found) > 0 && len(a.Missing) > 0 {
		lacked := make(map[string]bool, len(a.Missing))
		for _, m := range a.Missing {
			lacked[m.ID] = true
		}
		k.found = slices.DeleteFunc(k.found, func(id string) bool { return lacked[id] })
	}
	if over := len(k.found) - recentTweets; over > 0 {
		k.found = slices.Delete(k.found, 0, over+recentTweets/2)
	}
}

// remembered returns the tweets found lately.
func (k *credibility) remembered() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.found)
}

// classify decides whether an answer can be believed, and learns from it.
func (k *credibility) classify(a engagement.Answer, at time.Time) engagement.Credibility {
	k.mu.Lock()
	defer k.mu.Unlock()
	credible := a.Credibility(k.baseline, k.recent.Sum(at))
	k.recent.Add(at, a.RecentSample())
	if credible != engagement.Faulty {
		sample := a.BaselineSample()
		k.learnt.Lookups += sample.Lookups
		k.learnt.Misses += sample.Misses
	}
	return credible
}

// toShare returns what the others do not know yet, if it is time to tell them.
func (k *credibility) toShare(now time.Time) (learnt engagement.Sample, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.shareAt) {
		return learnt, false
	}
	k.shareAt = now.Add(shareMissRateEvery)
	learnt, k.learnt = k.learnt, engagement.Sample{}
	return learnt, true
}

// shareMissRate tells the other replicas what was learnt about how often tweets
// disappear, and learns what they know. A replica that cannot goes by what it knows.
func (c *Client) shareMissRate(ctx context.Context) {
	k := &c.credibility
	learnt, due := k.toShare(c.parts.Clock.Database())
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	baseline, err := c.parts.Tweets.ShareBaseline(ctx, learnt)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		c.parts.Log.Warn().Err(err).Msg("sharing how often tweets disappear failed")
		k.learnt.Lookups += learnt.Lookups
		k.learnt.Misses += learnt.Misses
		return
	}
	k.baseline = baseline
}

// assessed is an answer of which it is known what can be believed. Its Missing are
// missing; canaries are not in it.
type assessed struct {
	twitter.Answer

	unproven    []twitter.Missing // nothing follows from their absence
	implausible []twitter.Missing // their absence is the provider's fault
	canaryIDs   []string          // of the canaries that it returned
	unusable    int               // tweets that cannot be used, when they are many or all of an answer
	proven      bool              // and they are so many that it is the provider's fault
}

// assess decides what follows from the tweets that the answer to one call lacks. Those
// tweets are in doubt from then on.
func (c *Client) assess(a twitter.Answer, standings map[string]engagement.PriorState, canaries map[string]bool) assessed {
	c.credibility.remember(&a)
	var (
		answer engagement.Answer
		at     time.Time
	)
	add := func(id string, began time.Time, found bool) {
		standing := standings[id]
		if canaries[id] {
			standing = engagement.PriorState{Observed: true}
		}
		answer.Add(standing, found)
		at = began
	}
	for _, f := range a.Found {
		add(f.ID, f.At, true)
	}
	for _, m := range a.Missing {
		add(m.ID, m.At, false)
	}
	got := assessed{Answer: a}
	if answer.Asked > 0 {
		got.Missing = nil
		credible := c.credibility.classify(answer, at)
		if credible == engagement.Credible && a.Strays > 0 {
			credible = engagement.Unproven
		}
		got.classify(a.Missing, credible, answer.Found, standings, canaries)
	}
	now := c.parts.Clock.Now()
	got.unusable, got.proven = c.credibility.judgeUsable(&a, now)
	c.tellUnreadable(&a, now)
	got.Found = slices.DeleteFunc(got.Found, func(f twitter.Found) bool {
		if canaries[f.ID] {
			got.canaryIDs = append(got.canaryIDs, f.ID)
		}
		return canaries[f.ID]
	})
	got.Unresolved = slices.DeleteFunc(got.Unresolved, func(u twitter.Unresolved) bool { return canaries[u.ID] })
	return got
}

// unusable counts the tweets of an answer that cannot be used, because of their counters or
// because they were not asked for.
func unusable(a *twitter.Answer) int {
	n := a.Strays
	for _, u := range a.Unresolved {
		if errors.Is(u.Err, twitter.ErrMalformed) {
			n++
		}
	}
	return n
}

// unusableLeast is how many tweets answers must have had before their share of unusable ones
// says anything about the provider.
const unusableLeast = 10

// judgeUsable returns how many tweets of an answer cannot be used, when that may be the
// provider's fault: they are all of it, or half of it or more, and of the answers of the
// last quarter of an hour likewise, which proves the fault. A single odd tweet that is asked
// for again and again proves nothing.
func (k *credibility) judgeUsable(a *twitter.Answer, now time.Time) (n int, proven bool) {
	unusable := unusable(a)
	sample := engagement.Sample{Lookups: len(a.Found) + unusable, Misses: unusable}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.unusable.Add(now, sample)
	recent := k.unusable.Sum(now)
	if sample.Misses == 0 || 2*sample.Misses < sample.Lookups {
		return 0, false
	}
	if sample.Lookups < unusableLeast && (recent.Lookups < unusableLeast || 2*recent.Misses < recent.Lookups) {
		if sample.Misses < sample.Lookups {
			return 0, false
		}
		return unusable, false
	}
	return unusable, true
}

// From how many tweets on a share of them that have counters which cannot be read is told
// of: from a tenth on, and then again when it was less than half of that meanwhile.
const (
	oddLeast = 10
	oddShare = 0.1
)

// tellUnreadable logs when many counters cannot be read, and when they can be again. Each is
// absent by itself, so nothing else follows.
func (c *Client) tellUnreadable(a *twitter.Answer, now time.Time) {
	sample := engagement.Sample{Lookups: len(a.Found)}
	var counters []string
	for _, f := range a.Found {
		if len(f.Unreadable) > 0 {
			sample.Misses++
		}
		for _, counter := range f.Unreadable {
			if !slices.Contains(counters, counter.String()) {
				counters = append(counters, counter.String())
			}
		}
	}
	k := &c.credibility
	k.mu.Lock()
	defer k.mu.Unlock()
	k.odd.Add(now, sample)
	recent := k.odd.Sum(now)
	share := float64(recent.Misses) / float64(max(recent.Lookups, 1))
	switch {
	case !k.oddTold && recent.Misses >= oddLeast && share >= oddShare:
		k.oddTold = true
		c.parts.Log.Error().Str("provider", a.Provider).Strs("counters", counters).Float64("share", share).
			Msg("counters in the provider's answers cannot be read: they keep their last values")
	case k.oddTold && share < oddShare/2:
		k.oddTold = false
		c.parts.Log.Info().Str("provider", a.Provider).Msg("counters in the provider's answers can be read again")
	}
}

// classify says what follows from the absence of tweets in an answer that had found
// others.
func (a *assessed) classify(missing []twitter.Missing, credible engagement.Credibility, found int, standings map[string]engagement.PriorState, canaries map[string]bool) {
	for _, m := range missing {
		if canaries[m.ID] {
			continue
		}
		standings[m.ID] = standings[m.ID].Merge(engagement.PriorState{InDoubt: true})
		switch credible {
		case engagement.Credible:
			a.Missing = append(a.Missing, m)
		case engagement.Unproven:
			m.Reason = "the provider has lately lacked tweets that are there"
			if found == 0 {
				m.Reason = "no tweet that is known to be there was in the answer"
			}
			a.unproven = append(a.unproven, m)
		case engagement.Faulty:
			a.implausible = append(a.implausible, m)
		}
	}
}
