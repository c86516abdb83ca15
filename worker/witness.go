package worker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gorgone/engagement"
	"gorgone/twitter"
)

const (
	// shareNormEvery is how often, in real time, replicas tell each other how often
	// tweets go.
	shareNormEvery = 30 * time.Second

	// askStore bounds questions to the database without which a look-up can do.
	askStore = 2 * time.Second
)

// errLacking is a valid answer that lacks far more tweets than an honest one does.
var errLacking = errors.New("tweets that ought to be there are not in its answer")

// witness is what a worker knows about how far the provider's answers can be
// believed. It is safe for concurrent use.
type witness struct {
	mu      sync.Mutex
	norm    engagement.Norm
	recent  engagement.Recent
	learnt  engagement.Sample // not shared yet
	shareAt time.Time         // database time
	alive   []string          // tweets found lately, the last one last
}

// rememberAlive is how many tweets are remembered as being there. Half of them are
// forgotten when there are so many.
const rememberAlive = 64

// saw remembers some of the tweets that an answer had, and forgets those that it
// lacked.
func (k *witness) saw(a *twitter.Answer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range a.Found[:min(len(a.Found), 8)] {
		if !slices.Contains(k.alive, f.ID) {
			k.alive = append(k.alive, f.ID)
		}
	}
	if len(k.alive) > 0 && len(a.Missing) > 0 {
		lacked := make(map[string]bool, len(a.Missing))
		for _, m := range a.Missing {
			lacked[m.ID] = true
		}
		k.alive = slices.DeleteFunc(k.alive, func(id string) bool { return lacked[id] })
	}
	if over := len(k.alive) - rememberAlive; over > 0 {
		k.alive = slices.Delete(k.alive, 0, over+rememberAlive/2)
	}
}

// remembered returns the tweets found lately.
func (k *witness) remembered() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.alive)
}

// judge decides whether an answer can be believed, and learns from it.
func (k *witness) judge(a engagement.Answer, at time.Time) engagement.Verdict {
	k.mu.Lock()
	defer k.mu.Unlock()
	verdict := a.Judge(k.norm, k.recent.Sum(at))
	k.recent.Add(at, a.Evidence())
	if verdict != engagement.Faulty {
		lesson := a.Lesson()
		k.learnt.Looks += lesson.Looks
		k.learnt.Misses += lesson.Misses
	}
	return verdict
}

// toShare returns what the others do not know yet, if it is time to tell them.
func (k *witness) toShare(now time.Time) (learnt engagement.Sample, due bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Before(k.shareAt) {
		return learnt, false
	}
	k.shareAt = now.Add(shareNormEvery)
	learnt, k.learnt = k.learnt, engagement.Sample{}
	return learnt, true
}

// shareNorm tells the other replicas what was learnt, and hears what they know. A
// worker that cannot judges by what it knows.
func (w *Worker) shareNorm(ctx context.Context) {
	learnt, due := w.witness.toShare(w.Clock.Database())
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askStore)
	defer cancel()
	norm, err := w.Sink.ShareNorm(ctx, learnt)
	k := &w.witness
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		w.Log.Warn().Err(err).Msg("share how often tweets go")
		k.learnt.Looks += learnt.Looks
		k.learnt.Misses += learnt.Misses
		return
	}
	k.norm = norm
}

// weigh judges each call of an answer: what a call lacked that cannot be believed
// moves from the missing tweets to the unproven ones, or is returned as lacking
// when the call is the provider's fault. The controls are taken out of the answer.
func (w *Worker) weigh(a *twitter.Answer, known map[string]engagement.Standing, controls map[string]bool) (unproven, lacking []twitter.Missing) {
	w.witness.saw(a)
	type call struct {
		engagement.Answer

		at time.Time
	}
	calls := make(map[int]*call)
	add := func(id string, n int, at time.Time, found bool) {
		c := calls[n]
		if c == nil {
			c = &call{at: at}
			calls[n] = c
		}
		standing := known[id]
		if controls[id] {
			standing = engagement.Standing{Seen: true}
		}
		c.Add(standing, found)
	}
	for _, f := range a.Found {
		add(f.ID, f.Call, f.At, true)
	}
	for _, m := range a.Missing {
		add(m.ID, m.Call, m.At, false)
	}
	verdicts := make(map[int]engagement.Verdict, len(calls))
	for _, n := range slices.Sorted(maps.Keys(calls)) {
		verdicts[n] = w.witness.judge(calls[n].Answer, calls[n].at)
	}
	missing := a.Missing
	a.Missing = nil
	for _, m := range missing {
		if controls[m.ID] {
			continue
		}
		known[m.ID] = known[m.ID].With(engagement.Standing{Doubted: true})
		switch verdicts[m.Call] {
		case engagement.Credible:
			a.Missing = append(a.Missing, m)
		case engagement.Unproven:
			m.Reason = "the provider has lately lacked tweets that are there"
			if calls[m.Call].Found == 0 {
				m.Reason = "no tweet that is known to be there was in the answer"
			}
			unproven = append(unproven, m)
		case engagement.Faulty:
			lacking = append(lacking, m)
		}
	}
	if len(controls) > 0 {
		a.Found = slices.DeleteFunc(a.Found, func(f twitter.Found) bool { return controls[f.ID] })
		a.Unresolved = slices.DeleteFunc(a.Unresolved, func(u twitter.Unresolved) bool { return controls[u.ID] })
	}
	return unproven, lacking
}

// lackingError is the provider's fault of having lacked so many tweets.
func lackingError(lacking []twitter.Missing, a *twitter.Answer) error {
	return fmt.Errorf("%w: %d %w, %d are", twitter.ErrProviderFault, len(lacking), errLacking, len(a.Found))
}
