package engagement

import "time"

// PriorState is what is known of a tweet before it is looked up.
type PriorState struct {
	Observed bool // it was observed before
	InDoubt  bool // the last answer lacked it, or it counts as deleted
}

// PriorState returns what is known of the tweet before the next look-up.
func (t Tracking) PriorState() PriorState {
	return PriorState{
		Observed: !t.ObservedAt.IsZero(),
		InDoubt:  t.Misses > 0 || t.Doubts > 0 || t.Gone(),
	}
}

// Merge combines what two rows of a tweet know: the tweet is in doubt if either says
// so.
func (s PriorState) Merge(o PriorState) PriorState {
	return PriorState{Observed: s.Observed || o.Observed, InDoubt: s.InDoubt || o.InDoubt}
}

// Answer counts which of the tweets asked for one valid answer contains. The zero
// value is an answer about no tweets.
type Answer struct {
	Asked     int    // tweets asked for
	Found     int    // tweets it contains
	Expected  Sample // those that should exist: observed before, and not in doubt
	Recovered int    // tweets in doubt that it contains: earlier answers lacked them wrongly
}

// Add counts one tweet. A canary, added to test the answer, is one that was observed
// before.
func (a *Answer) Add(s PriorState, found bool) {
	a.Asked++
	if found {
		a.Found++
	}
	switch {
	case s.InDoubt && found:
		a.Recovered++
	case s.InDoubt || !s.Observed:
		// That a tweet is still missing, or was never there, says nothing about
		// the provider.
	default:
		a.Expected.add(found)
	}
}

// Credibility is whether an answer can be believed about what it lacks.
type Credibility int

// The degrees of credibility.
const (
	// Credible: what it lacks is missing.
	Credible Credibility = iota
	// Unproven: nothing follows from what it lacks. It contains none of the tweets, or
	// the provider has recently lacked many that it should know.
	Unproven
	// Faulty: it lacks far more than an honest answer does. That is the provider's
	// fault, like an error.
	Faulty
)

// Credibility decides whether the answer can be believed about what it lacks. baseline
// is how often tweets really go, recent what the answers of the last 15 minutes lacked
// (see [SampleWindow]).
//
// An answer that contains none of ten tweets or more is [Faulty]. So is one that lacks,
// of ten or more that should exist, far more than the baseline. A smaller answer is
// [Credible] if it contains at least one tweet and, taken together with the recent
// ones, does not lack too many: a provider that drops tweets here and there also drops
// those asked for singly. Tweets in doubt do not count when they are missing again, so
// that following deleted tweets makes no answer look bad; when they are there, they
// prove a false miss.
func (a Answer) Credibility(baseline Baseline, recent Sample) Credibility {
	switch {
	case a.Found == 0 && a.Asked >= minSample, baseline.exceededBy(a.Expected):
		return Faulty
	case a.Found == 0, baseline.exceededBy(recent.plus(a.RecentSample())):
		return Unproven
	default:
		return Credible
	}
}

// RecentSample is what the answer says about the provider's state, for [SampleWindow].
func (a Answer) RecentSample() Sample {
	return Sample{Lookups: a.Expected.Lookups + a.Recovered, Misses: a.Expected.Misses + a.Recovered}
}

// BaselineSample is what the answer says about how often tweets really go, for [Baseline]:
// misses that turned out false are taken back. A [Faulty] answer must not be
// counted.
func (a Answer) BaselineSample() Sample {
	return Sample{Lookups: a.Expected.Lookups, Misses: a.Expected.Misses - a.Recovered}
}

const (
	recentSpan   = 15 * time.Minute
	recentBucket = time.Minute
)

// SampleWindow sums up the samples of the last 15 minutes, to the minute. The
// zero value is ready. It is not safe for concurrent use.
type SampleWindow struct {
	buckets [recentSpan / recentBucket]bucket
}

type bucket struct {
	minute int64 // since 1970
	Sample
}

// Add adds the sample of an answer at the given time.
func (r *SampleWindow) Add(at time.Time, s Sample) {
	minute := at.Unix() / int64(recentBucket/time.Second)
	b := &r.buckets[uint64(minute)%uint64(len(r.buckets))] // #nosec G115 -- only its place
	switch {
	case b.minute < minute:
		*b = bucket{minute, s}
	case b.minute == minute:
		b.Sample = b.plus(s)
	}
}

// Sum returns the sum of the 15 minutes before now.
func (r *SampleWindow) Sum(now time.Time) Sample {
	var sum Sample
	oldest := now.Add(-recentSpan).Unix() / int64(recentBucket/time.Second)
	for _, b := range r.buckets {
		if b.minute > oldest {
			sum = sum.plus(b.Sample)
		}
	}
	return sum
}
