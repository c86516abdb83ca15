package engagement

import (
	"errors"
	"time"
)

// ErrZeroed is returned for a reading in which every counter of a tweet that had
// some is 0. Tweets do not lose all they have; providers do.
var ErrZeroed = errors.New("every counter is 0 although there were some")

const (
	// Counters fell to 0 through the provider's fault when they did so in three
	// tweets of an answer, and were together well above it. A tweet counts for 20 at
	// most, so that one that really lost everything does not speak for the others.
	zeroedTweets = 3
	zeroedLoss   = 30
	zeroedWeight = 20

	// zeroedTotal is from what sum of all six counters a tweet alone is not believed
	// to have none, however often it is said: views alone never fall.
	zeroedTotal = 10
)

// Change is what one answer says of a tweet, beside what was known of it.
type Change struct {
	Before, Now Metrics

	// AgeBefore and AgeNow are the tweet's ages when it was observed last and now. Unless
	// AgeBefore is positive, no growth is implausible.
	AgeBefore, AgeNow time.Duration
	// Refused is how often in a row there was no answer about the tweet that could be used.
	Refused int
}

// NewChange returns what an observation says of a tweet.
func NewChange(t Tracking, o Observation) Change {
	c := Change{Before: t.Metrics, Now: o.Metrics, Refused: t.Attempts, AgeNow: o.At.Sub(t.CreatedAt)}
	last := t.ObservedAt
	if t.SnapshotAt.After(last) {
		last = t.SnapshotAt
	}
	if !last.IsZero() {
		c.AgeBefore = last.Sub(t.CreatedAt)
	}
	return c
}

// Zeroed is what of an answer is not believed: counts that are 0, or all of them, through
// the provider's fault. The zero value is nothing.
type Zeroed struct {
	whole       bool    // tweets with all their counters
	counts      [6]bool // single counters, in the order of [Metrics]
	implausible bool    // the answer
}

// zeroCount counts tweets whose counters fell to 0.
type zeroCount struct{ tweets, loss int64 }

func (f *zeroCount) add(before int64) {
	if before > 0 {
		f.tweets++
		f.loss += min(before, zeroedWeight)
	}
}

func (f zeroCount) isFault() bool { return f.tweets >= zeroedTweets && f.loss >= zeroedLoss }

// FindZeroed looks for counters that fell to 0, or that changed as no counters do, across
// the tweets of one answer.
func FindZeroed(answer []Change) Zeroed {
	var (
		counts [6]zeroCount
		whole  zeroCount
	)
	for _, r := range answer {
		r = r.given()
		if r.empty() {
			whole.add(r.Before.sum())
		}
		before, now := r.Before.fields(), r.Now.fields()
		for i := range counts {
			if now[i].count == Known(0) {
				counts[i].add(before[i].count.Value())
			}
		}
	}
	z := Zeroed{whole: whole.isFault()}
	for i, f := range counts {
		z.counts[i] = f.isFault()
	}
	z.implausible = implausible(answer, z.counts)
	return z
}

// Any reports whether anything is wrong with the answer.
func (z Zeroed) Any() bool { return z != Zeroed{} }

// Clean returns the counts of a reading without those that are 0 through the
// provider's fault: they are absent. A tweet whose counters are all 0 through it
// is [ErrZeroed], and so is one that alone lost everything it had. A tweet of an answer
// that is not believed at all is [ErrImplausible], until it was refused [mostRefused] times.
func (z Zeroed) Clean(r Change) (Metrics, error) {
	r = r.given()
	if r.empty() && (z.whole || r.Before.sum() >= zeroedTotal) {
		return Metrics{}, ErrZeroed
	}
	if z.implausible && r.Refused < mostRefused {
		return Metrics{}, ErrImplausible
	}
	m := r.Now
	for i, c := range []*Count{&m.Retweets, &m.Replies, &m.Likes, &m.Quotes, &m.Views, &m.Bookmarks} {
		if z.counts[i] && *c == Known(0) {
			*c = Count{}
		}
	}
	if r.Now.Known() && !m.Known() {
		return Metrics{}, ErrZeroed
	}
	return m, nil
}

// given returns the change of those counters that the answer has: of the others it does not
// say that they are 0.
func (r Change) given() Change {
	for i, count := range []*Count{
		&r.Before.Retweets, &r.Before.Replies, &r.Before.Likes, &r.Before.Quotes, &r.Before.Views, &r.Before.Bookmarks,
	} {
		if !r.Now.fields()[i].count.Known() {
			*count = Count{}
		}
	}
	return r
}

// empty reports whether the answer has counters, and all of them are 0.
func (r Change) empty() bool {
	for _, f := range r.Now.fields() {
		if f.count.value != 0 {
			return false
		}
	}
	return r.Now.Known()
}

// sum is the sum of all six counters, absent ones as 0.
func (m Metrics) sum() int64 {
	return m.Total() + m.Views.Value() + m.Bookmarks.Value()
}
