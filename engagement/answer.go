package engagement

import "time"

// Standing is what is known of a tweet before the provider is asked for it.
type Standing struct {
	Seen    bool // it was observed before
	Doubted bool // the last answer lacked it, or it is gone
}

// Standing returns what is known of the tweet before the next look.
func (t Tracking) Standing() Standing {
	return Standing{
		Seen:    !t.ObservedAt.IsZero(),
		Doubted: t.Misses > 0 || t.Doubts > 0 || t.Gone(),
	}
}

// With joins what is known of a tweet by two of its rows: what speaks for doubt
// counts.
func (s Standing) With(o Standing) Standing {
	return Standing{Seen: s.Seen || o.Seen, Doubted: s.Doubted || o.Doubted}
}

// Answer is what one valid answer says about which of the tweets asked for are
// there. The zero value is an answer about nothing.
type Answer struct {
	Asked    int    // tweets asked for
	Found    int    // tweets it knows
	Expected Sample // those that ought to be there: seen before, and not in doubt
	Returned int    // tweets in doubt that are there: earlier answers lacked them wrongly
}

// Add adds what the answer says about one tweet. A tweet that was added to serve
// as control is one that was seen before.
func (a *Answer) Add(s Standing, found bool) {
	a.Asked++
	if found {
		a.Found++
	}
	switch {
	case s.Doubted && found:
		a.Returned++
	case s.Doubted || !s.Seen:
		// That a tweet is still missing, or was never there, says nothing about
		// the provider.
	default:
		a.Expected.add(found)
	}
}

// Verdict is whether an answer can be believed about what it lacks.
type Verdict int

// The verdicts.
const (
	// Credible: what it lacks is missing.
	Credible Verdict = iota
	// Unproven: nothing follows from what it lacks. It knows none of the tweets, or
	// the provider has lately lacked many that it ought to know.
	Unproven
	// Faulty: it lacks far more than an honest answer does. That is the provider's
	// fault, like an error.
	Faulty
)

// Judge decides whether what the answer lacks can be believed. norm is how often
// tweets really go, recent what the answers of the last quarter of an hour lacked
// (see [Recent]).
//
// An answer that knows not one of ten tweets or more is [Faulty]. So is one that
// lacks, of ten and more that ought to be there, far more than the norm. A smaller
// one is [Credible] if it knows at least one tweet, and if it does not, taken
// together with the recent ones, lack too many: a provider that drops tweets here
// and there drops the ones asked for singly as well. Tweets in doubt do not count
// when they are missing again, so that looking after deleted tweets makes no answer
// look bad; when they are there, they prove a false miss.
func (a Answer) Judge(norm Norm, recent Sample) Verdict {
	switch {
	case a.Found == 0 && a.Asked >= minSample, norm.exceededBy(a.Expected):
		return Faulty
	case a.Found == 0, norm.exceededBy(recent.plus(a.Evidence())):
		return Unproven
	default:
		return Credible
	}
}

// Evidence is what the answer shows of the provider's state, for [Recent].
func (a Answer) Evidence() Sample {
	return Sample{Looks: a.Expected.Looks + a.Returned, Misses: a.Expected.Misses + a.Returned}
}

// Lesson is what the answer teaches about how often tweets really go, for [Norm]:
// misses that turned out false are taken back. Of a [Faulty] answer nothing is to
// be learnt.
func (a Answer) Lesson() Sample {
	return Sample{Looks: a.Expected.Looks, Misses: a.Expected.Misses - a.Returned}
}

const (
	recentSpan   = 15 * time.Minute
	recentBucket = time.Minute
)

// Recent sums up the evidence of the last quarter of an hour, to the minute. The
// zero value is ready. It is not safe for concurrent use.
type Recent struct {
	buckets [recentSpan / recentBucket]bucket
}

type bucket struct {
	minute int64 // since 1970
	Sample
}

// Add adds the evidence of an answer at the given time.
func (r *Recent) Add(at time.Time, s Sample) {
	minute := at.Unix() / int64(recentBucket/time.Second)
	b := &r.buckets[uint64(minute)%uint64(len(r.buckets))] // #nosec G115 -- only its place
	switch {
	case b.minute < minute:
		*b = bucket{minute, s}
	case b.minute == minute:
		b.Sample = b.plus(s)
	}
}

// Sum returns the evidence of the quarter of an hour before now.
func (r *Recent) Sum(now time.Time) Sample {
	var sum Sample
	oldest := now.Add(-recentSpan).Unix() / int64(recentBucket/time.Second)
	for _, b := range r.buckets {
		if b.minute > oldest {
			sum = sum.plus(b.Sample)
		}
	}
	return sum
}
