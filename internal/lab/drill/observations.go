package drill

import (
	"slices"
	"time"

	"gorgone/internal/clock"
	"gorgone/twitter/fakeprovider"
)

// observation is one tweet in one answer of the provider.
type observation struct {
	call    *fakeprovider.Record
	written bool // it made a snapshot
}

// observations are all of them, by tweet and in order of time, and what they explain.
type observations struct {
	byTweet     map[string][]*observation
	unexplained map[*row][]snapshot // points that no answer explains
}

const (
	// clockSlack is how far the clocks of two processes may be apart.
	clockSlack = 600 * time.Millisecond
)

// lost reports whether the fault keeps the answer from being read.
func lost(fault fakeprovider.Fault) bool {
	switch fault {
	case fakeprovider.Hang, fakeprovider.SlowBody, fakeprovider.CutBody, fakeprovider.Reset, fakeprovider.Truncated:
		return true
	default:
		return false
	}
}

// observations matches the points of all histories, and all look-ups, with the answers of
// the provider.
func (f *facts) observations() *observations {
	if f.matched != nil {
		return f.matched
	}
	l := &observations{byTweet: make(map[string][]*observation), unexplained: make(map[*row][]snapshot)}
	f.matched = l
	for i := range f.calls {
		c := &f.calls[i]
		if c.Status != 200 && !lost(c.Fault) || c.Returned == 0 {
			continue
		}
		for _, id := range returned(c) {
			l.byTweet[id] = append(l.byTweet[id], &observation{call: c})
		}
	}
	for _, r := range f.rows {
		if len(r.history) == 0 {
			continue
		}
		list := l.byTweet[r.tweet]
		l.unexplained[r] = f.match(list, r.tweet, f.observed(r), func(*observation) {})
		f.match(list, r.tweet, r.lookups, func(o *observation) { o.written = true })
	}
	return l
}

// match finds the answer that each snapshot comes from, and returns those that come from
// none. An answer is one snapshot's.
func (f *facts) match(list []*observation, tweet string, snapshots []snapshot, found func(*observation)) (unexplained []snapshot) {
	next := 0
	var before counts
	for _, s := range snapshots {
		i := next
		for i < len(list) && !f.explains(list[i].call, tweet, s, before) {
			i++
		}
		if i == len(list) {
			unexplained = append(unexplained, s)
			continue
		}
		found(list[i])
		next, before = i+1, s.counts
	}
	return unexplained
}

// observed returns the points of a row's history that come from answers. The first is from
// when it was tracked, but of a tweet that was new to us.
func (f *facts) observed(r *row) []snapshot {
	if f.isNew(r.tweet) {
		return r.history
	}
	return r.history[1:]
}

// isNew reports whether the tweet was tracked while things went wrong.
func (f *facts) isNew(tweet string) bool {
	return len(f.struck(tweet, lag)) > 0
}

// struck returns the events of some kinds that were about a tweet.
func (f *facts) struck(tweet string, kinds ...kind) (list []event) {
	if f.byTweet == nil {
		f.byTweet = make(map[string][]event)
		for _, e := range f.events {
			for _, id := range e.tweets {
				f.byTweet[id] = append(f.byTweet[id], e)
			}
		}
	}
	for _, e := range f.byTweet[tweet] {
		if slices.Contains(kinds, e.kind) {
			list = append(list, e)
		}
	}
	return list
}

// steps returns by how much the clock of a process may have been wrong at a time: it reads
// the database's every few seconds, and stands still until one that was set back has caught
// up. What is too far off is not believed.
func (f *facts) steps(process string, at time.Time) (least, most time.Duration) {
	for _, e := range f.events {
		if e.kind != step || e.step.Abs() > smallStep {
			continue
		}
		if !e.from.After(at.Add(smallStep)) && !f.clockRead(process, e.to).Add(2*smallStep).Before(at) {
			least, most = min(least, e.step, -e.step), max(most, e.step, -e.step)
		}
	}
	return least, most
}

// clockRead returns by when a process has read the database's clock that could from some time
// on, unless the database, or the way to it, could not be reached then.
func (f *facts) clockRead(process string, from time.Time) time.Time {
	by := from.Add(clock.SyncEvery)
	for again := true; again; {
		again = false
		for _, e := range f.events {
			away := e.ofDatabase() && e.kind != step || e.about(process) && e.link == partPostgres
			if read := e.to.Add(clock.SyncEvery); away && e.touches(from, by) && read.After(by) {
				by, again = read, true
			}
		}
	}
	return by
}

// unreadable returns the place of the counter that a fault leaves without a count; -1: none.
func unreadable(f fakeprovider.Fault) int {
	switch f {
	case fakeprovider.ZeroedViews, fakeprovider.OddViews:
		return viewCount
	case fakeprovider.RenamedLikes:
		return likeCount
	default:
		return -1
	}
}

// explains reports whether the point can come from the call's answer: it began
// just before the call arrived, and has the counts that the answer had. A counter that could
// not be read stands as it did, or as a look-up since then saw it.
func (f *facts) explains(c *fakeprovider.Record, tweet string, s snapshot, before counts) bool {
	began := f.real(s.at)
	behind, ahead := f.steps(c.Remote, began)
	if c.Started.Before(began.Add(-clockSlack-ahead)) || c.Started.After(began.Add(callTimeout+clockSlack-behind)) {
		return false
	}
	if spoilt(c) {
		return false
	}
	truth, ok := f.truth(tweet, c.At)
	if !ok {
		return false
	}
	for i := range truth {
		if i == unreadable(c.Fault) && s.counts[i] >= before[i] {
			continue
		}
		if s.counts[i] != truth[i] {
			return false
		}
	}
	return true
}
