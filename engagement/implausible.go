package engagement

import "errors"

// ErrImplausible is returned for a reading from an answer whose counts fell or grew as the
// counts of many tweets at once do not: all halved, times a thousand, or other tweets'.
var ErrImplausible = errors.New("the counts of many tweets changed at once as counts do not")

// An answer is not believed when one of its counters changed implausibly in three tweets or
// more, by 30 together (a tweet counts for 20 at most, as for zeros), and in a third or more
// of those in which it could have.
const (
	implausibleShare = 3 // one in so many

	// A count falls implausibly when less than this share of it is left: people undo likes,
	// and accounts that are purged take theirs with them, but never so many of many tweets
	// between two look-ups.
	leastLeft = 0.7

	// A count grows implausibly beyond so many times what it was, and a few more, times the
	// square of how many times its age the tweet has: when tweets are young, their counts grow
	// with their age, and some faster.
	mostGrowth  = 3
	growthSlack = 20

	// fewestCounted is from what count on a change says anything.
	fewestCounted = 5

	// mostRefused is how often in a row a tweet is refused: then the provider has said the
	// same for two hours, and is believed.
	mostRefused = 8
)

// implausible reports whether an answer is not to be believed at all. Counters that fell to 0
// through the provider's fault are known already.
func implausible(answer []Change, zeroed [6]bool) bool {
	for i := range zeroed {
		if zeroed[i] {
			continue
		}
		var wrong zeroCount
		counted := 0
		for _, r := range answer {
			before, known := r.Before.fields()[i].count.Get()
			now, knownNow := r.Now.fields()[i].count.Get()
			if !known || !knownNow || max(before, now) < fewestCounted || r.Refused >= mostRefused {
				continue
			}
			counted++
			if r.falls(before, now) || r.leaps(before, now) {
				wrong.add(max(before-now, now-before))
			}
		}
		if wrong.isFault() && wrong.tweets*implausibleShare >= int64(counted) {
			return true
		}
	}
	return false
}

func (r Change) falls(before, now int64) bool {
	return before >= fewestCounted && float64(now) < leastLeft*float64(before)
}

func (r Change) leaps(before, now int64) bool {
	if r.AgeBefore <= 0 {
		return false
	}
	times := max(1, float64(r.AgeNow)/float64(r.AgeBefore))
	return float64(now) > mostGrowth*times*times*float64(before+growthSlack)
}
