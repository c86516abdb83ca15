package drill

import (
	"time"

	"gorgone/twitter/twittertest"
)

// look is one tweet in one answer of the provider.
type look struct {
	call    *twittertest.Record
	written bool // it is a point of a row's history
}

// looks are all of them, by tweet and in order of time, and what they explain.
type looks struct {
	byTweet     map[string][]*look
	unexplained map[*row][]snapshot // points that no answer explains
}

const (
	// clockSlack is how far the clocks of two processes may be apart.
	clockSlack = 600 * time.Millisecond
)

// lost reports whether the fault keeps the answer from being read.
func lost(fault twittertest.Fault) bool {
	switch fault {
	case twittertest.Hang, twittertest.SlowBody, twittertest.CutBody, twittertest.Reset, twittertest.Truncated:
		return true
	default:
		return false
	}
}

// looks matches the points of all histories with the answers of the provider.
func (f *facts) looks() *looks {
	if f.matched != nil {
		return f.matched
	}
	l := &looks{byTweet: make(map[string][]*look), unexplained: make(map[*row][]snapshot)}
	f.matched = l
	for i := range f.calls {
		c := &f.calls[i]
		if c.Status != 200 && !lost(c.Fault) || c.Returned == 0 {
			continue
		}
		absent := make(map[string]bool, len(c.Absent))
		for _, id := range c.Absent {
			absent[id] = true
		}
		for _, id := range c.IDs {
			if !absent[id] {
				l.byTweet[id] = append(l.byTweet[id], &look{call: c})
			}
		}
	}
	for _, r := range f.rows {
		if len(r.history) == 0 {
			continue
		}
		list := l.byTweet[r.tweet]
		next := 0
		for _, s := range r.history[1:] {
			found := -1
			for i := next; i < len(list); i++ {
				if f.explains(list[i].call, r.tweet, s) {
					found = i
					break
				}
			}
			if found < 0 {
				l.unexplained[r] = append(l.unexplained[r], s)
				continue
			}
			list[found].written = true
			next = found + 1
		}
	}
	return l
}

// explains reports whether the point can come from the call's answer: it began
// just before the call arrived, and has the counts that the answer had.
func (f *facts) explains(c *twittertest.Record, tweet string, s snapshot) bool {
	began := f.real(s.at)
	if c.Started.Before(began.Add(-clockSlack)) || c.Started.After(began.Add(callTimeout+clockSlack)) {
		return false
	}
	if lost(c.Fault) || c.Fault == twittertest.ZeroedCounts {
		return false
	}
	truth, ok := f.truth(tweet, c.At)
	if !ok {
		return false
	}
	for i := range truth {
		if i == viewCount && c.Fault == twittertest.ZeroedViews {
			continue
		}
		if s.counts[i] != truth[i] {
			return false
		}
	}
	return true
}
