package engagement

import "errors"

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
type Change struct{ Before, Now Metrics }

// Zeroed is what of an answer is 0 through the provider's fault. The zero value
// is nothing.
type Zeroed struct {
	whole  bool    // tweets with all their counters
	counts [6]bool // single counters, in the order of [Metrics]
}

// fall counts tweets whose counters fell to 0.
type fall struct{ tweets, loss int64 }

func (f *fall) add(before int64) {
	if before > 0 {
		f.tweets++
		f.loss += min(before, zeroedWeight)
	}
}

func (f fall) fault() bool { return f.tweets >= zeroedTweets && f.loss >= zeroedLoss }

// FindZeroed looks for counters that fell to 0 across the tweets of one answer.
func FindZeroed(answer []Change) Zeroed {
	var (
		counts [6]fall
		whole  fall
	)
	for _, r := range answer {
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
	z := Zeroed{whole: whole.fault()}
	for i, f := range counts {
		z.counts[i] = f.fault()
	}
	return z
}

// Any reports whether anything is wrong with the answer.
func (z Zeroed) Any() bool { return z != Zeroed{} }

// Clean returns the counts of a reading without those that are 0 through the
// provider's fault: they are absent. A tweet whose counters are all 0 through it
// is [ErrZeroed], and so is one that alone lost everything it had.
func (z Zeroed) Clean(r Change) (Metrics, error) {
	if r.empty() && (z.whole || r.Before.sum() >= zeroedTotal) {
		return Metrics{}, ErrZeroed
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
