package engagement

import (
	"crypto/sha256"
	"math"
	"time"
)

// Half is the part of a [Split] that a tweet is in.
type Half int

// The halves.
const (
	KeptHalf  Half = iota // goes on as before
	TriedHalf             // goes by what is tried
)

// HalfOf returns the half of a tweet: the lowest bit of the first byte of the SHA-256 of
// "seed:tweet id". It needs no state and is the same everywhere, in SQL too.
func HalfOf(seed, tweetID string) Half {
	sum := sha256.Sum256([]byte(seed + ":" + tweetID))
	return Half(sum[0] & 1)
}

// Split tries a policy on a random half of the tweets posted from a time on. The rest,
// and all tweets posted before, go on by Policy.
//
// Both halves get a last look-up at the age of Closing, also where their policy is done
// earlier: it shows what came in all, by which both are measured.
type Split struct {
	Policy Policy
	Tried  Policy

	Seed    string
	From    time.Time     // post of the first tweets of the trial
	Closing time.Duration // age
}

var _ Learner = Split{}

// of returns the policy of a tweet.
func (s Split) of(t Tracking) Policy {
	if !t.CreatedAt.Before(s.From) && HalfOf(s.Seed, t.TweetID) == TriedHalf {
		return s.Tried
	}
	return s.Policy
}

// Learn implements [Learner] where the tweet's policy does.
func (s Split) Learn(prev, next Tracking) Activity { return Learn(s.of(next), prev, next) }

// Schedule implements [Policy].
func (s Split) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	tier, next := s.of(t).Schedule(t, now)
	closing := t.CreatedAt.Add(s.Closing)
	if next.IsZero() && !t.CreatedAt.Before(s.From) && closing.Sub(now) >= MinSnapshotGap {
		return Warm, closing
	}
	return tier, next
}

// SameSpend moves the price of a policy that is tried so that its tweets get as many
// look-ups as those of another policy: not at every age, but over their lives.
type SameSpend struct {
	PerTweet float64       // look-ups that a tweet of the other policy gets in all
	Period   time.Duration // since the last adjustment

	// Lives is the sum over the tweets that are tried of how much of their life's
	// look-ups is due by their age, from 0 to 1 each ([Kernel.LookupsBy]), and Lookups is
	// how many they got. Both are from the start on, now and at the last adjustment.
	Lives, LivesBefore     float64
	Lookups, LookupsBefore float64
}

// spendAlikeWithin is how long it takes to make up for what was spent too much or little.
const spendAlikeWithin = 24 * time.Hour

// Planned returns the look-ups to make in the period: those of the lives lived in it, and
// a part of what was missing before.
func (s SameSpend) Planned() float64 {
	owed := s.PerTweet*s.LivesBefore - s.LookupsBefore
	return s.PerTweet*(s.Lives-s.LivesBefore) + owed*min(float64(s.Period)/float64(spendAlikeWithin), 1)
}

// Adjust returns the price for the coming period, by the rule of [Budget.Adjust].
func (s SameSpend) Adjust(price float64) float64 {
	spent := s.Lookups - s.LookupsBefore
	off := math.Inf(1)
	if planned := s.Planned(); planned > 0 {
		off = spent/planned - 1
	}
	return moved(price, off, 0, 0)
}

// LookupsBy returns the share of the look-ups of a tweet's first `whole` that falls before
// an age when they are spread by the density rule of [Adaptive].
func (k Kernel) LookupsBy(age, whole time.Duration) float64 {
	return min(k.rootBy(age)/k.rootBy(whole), 1)
}
