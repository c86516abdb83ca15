package engagement

import "time"

// The shares of a budget from which on it is saved, see [Thrift].
const (
	// Sparing is when the coldest tweets that are still looked at get fewer looks.
	Sparing = 0.8
	// Scarce is when the next tier gets fewer too.
	Scarce = 0.9
)

// Thrift looks less often as a budget runs out, at the cold end first: from
// [Sparing] on, gaps of warm tweets are doubled; from [Scarce] on, those of warm
// ones are four times as long and those of hot ones twice. The hottest keep
// theirs. What is beyond the budget is not a policy's to decide: nothing is looked
// up then.
type Thrift struct {
	Policy Policy
	Used   float64 // share of the budget that is used up, if that is more than the time that has passed allows; else 0
}

var _ Learner = Thrift{}

// Learn implements [Learner] where Policy does.
func (p Thrift) Learn(prev, next Tracking) Activity { return Learn(p.Policy, prev, next) }

// Schedule implements [Policy].
func (p Thrift) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	tier, next := p.Policy.Schedule(t, now)
	if next.IsZero() {
		return tier, next
	}
	return tier, now.Add(next.Sub(now) * p.stretch(tier))
}

// stretch is how many times as long a tier's gaps are.
func (p Thrift) stretch(t Tier) time.Duration {
	switch {
	case p.Used < Sparing || t == UltraHot:
		return 1
	case p.Used < Scarce:
		if t == Hot {
			return 1
		}
		return 2
	case t == Hot:
		return 2
	default:
		return 4
	}
}
