package engagement

import (
	"errors"
	"fmt"
	"time"
)

// Tier says how often a tweet is looked up. The values are those stored in
// twitter_engagement_tracking.tier.
type Tier string

// The tiers, hottest first. A cold tweet is no longer looked up.
const (
	UltraHot Tier = "ultra_hot"
	Hot      Tier = "hot"
	Warm     Tier = "warm"
	Cold     Tier = "cold"
)

// Tiers lists all tiers, hottest first.
func Tiers() []Tier { return []Tier{UltraHot, Hot, Warm, Cold} }

// Heat orders tiers: 0 is cold, 3 is ultra hot, -1 is not a tier.
func (t Tier) Heat() int {
	switch t {
	case UltraHot:
		return 3
	case Hot:
		return 2
	case Warm:
		return 1
	case Cold:
		return 0
	default:
		return -1
	}
}

// Policy decides how often a tweet is worth a look-up.
type Policy interface {
	// Schedule returns the tier of a tweet at now, and when to look it up next.
	// The time is after now, or zero when the tweet is not to be looked up again.
	Schedule(t Tracking, now time.Time) (Tier, time.Time)
}

// Step is one stretch of a tweet's life in a [TierPolicy].
type Step struct {
	Tier  Tier
	Until time.Duration // age at which the step ends (exclusive)
	Every time.Duration // time between two look-ups
}

// TierPolicy picks tier and next look-up by the age of the tweet alone. Look-ups lie
// on a grid counted from the tweet's own creation, so a late or an extra look-up
// never shifts the ones that follow. Make one with [NewTierPolicy] or
// [DefaultTierPolicy].
type TierPolicy struct {
	steps []Step
}

var _ Policy = TierPolicy{}

// DefaultTierPolicy is 0-1 h every 10 min (ultra hot), 1-4 h every 30 min (hot),
// 4-12 h every hour (warm), then cold: 20 look-ups a tweet.
func DefaultTierPolicy() TierPolicy {
	return TierPolicy{steps: []Step{
		{Tier: UltraHot, Until: time.Hour, Every: 10 * time.Minute},
		{Tier: Hot, Until: 4 * time.Hour, Every: 30 * time.Minute},
		{Tier: Warm, Until: 12 * time.Hour, Every: time.Hour},
	}}
}

// NewTierPolicy checks the steps and makes a policy of them. There must be at
// least one step, each ends later than the one before and is of a cooler tier,
// none is [Cold] (that is what follows the last step), and no interval is below
// [MinSnapshotGap]. All faults are reported at once.
func NewTierPolicy(steps []Step) (TierPolicy, error) {
	var faults []error
	if len(steps) == 0 {
		faults = append(faults, errors.New("a tier policy needs at least one step"))
	}
	var prev Step
	for i, s := range steps {
		if s.Tier.Heat() <= 0 {
			faults = append(faults, fmt.Errorf("step %d: tier %q is not one of ultra_hot, hot, warm", i+1, s.Tier))
		} else if i > 0 && s.Tier.Heat() >= prev.Tier.Heat() {
			faults = append(faults, fmt.Errorf("step %d: tier %s must be cooler than %s before it", i+1, s.Tier, prev.Tier))
		}
		if s.Until <= prev.Until {
			faults = append(faults, fmt.Errorf("step %d (%s): ends at age %s, which is not after %s", i+1, s.Tier, s.Until, prev.Until))
		}
		if s.Every < MinSnapshotGap {
			faults = append(faults, fmt.Errorf("step %d (%s): every %s is less than the minimum of %s", i+1, s.Tier, s.Every, MinSnapshotGap))
		}
		prev = s
	}
	if err := errors.Join(faults...); err != nil {
		return TierPolicy{}, err
	}
	return TierPolicy{steps: append([]Step(nil), steps...)}, nil
}

// Schedule implements [Policy]. The next look-up is the first point of the tier's
// grid that is at least [MinSnapshotGap] away, because a look-up sooner than that
// would be paid for and add no snapshot; the grid of every tier includes the age
// at which the tier ends, so the last look-up falls on the age at which tweets go
// cold.
func (p TierPolicy) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	age := max(now.Sub(t.CreatedAt), 0)
	var start time.Duration
	for i, s := range p.steps {
		if age >= s.Until {
			start = s.Until
			continue
		}
		next := p.gridPoint(i, start, age+MinSnapshotGap)
		return s.Tier, t.CreatedAt.Add(next)
	}
	return Cold, time.Time{}
}

// gridPoint returns the first grid age not before at, looking from step i
// (which begins at age start) onwards.
func (p TierPolicy) gridPoint(i int, start, at time.Duration) time.Duration {
	for _, s := range p.steps[i:] {
		k := max((at-start+s.Every-1)/s.Every, 1)
		if next := start + k*s.Every; next < s.Until {
			return next
		}
		if at <= s.Until {
			return s.Until
		}
		start = s.Until
	}
	// Less than a gap before the end: one look-up after it, so that the last
	// stretch is not lost.
	return at
}
