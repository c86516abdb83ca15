package engagement

import "time"

// The shares of a budget at which [BudgetControl] begins to save it.
const (
	// LowBudget is where the coldest tweets that are still tracked get fewer look-ups.
	LowBudget = 0.8
	// ScarceBudget is where the next tier gets fewer too.
	ScarceBudget = 0.9
)

// BudgetControl makes look-ups rarer as a budget runs out, at the cold end first: from
// [LowBudget] on, gaps of warm tweets are doubled; from [ScarceBudget] on, those of warm
// ones are four times as long and those of hot ones twice. The hottest keep
// theirs. Once the budget is used up nothing is looked up, which is not the
// policy's decision.
type BudgetControl struct {
	Policy Policy
	Used   float64 // share of the budget that is used up, if that is more than the time that has passed allows; else 0

	// DayPass says that a tweet is charged for once a UTC day. Then look-ups of one that was
	// paid for ([Activity.PaidDay]) are as they are until the day ends, as they cost nothing.
	DayPass bool
}

var _ Learner = BudgetControl{}

// Learn implements [Learner] where Policy does.
func (p BudgetControl) Learn(prev, next Tracking) Activity { return Learn(p.Policy, prev, next) }

// Schedule implements [Policy].
func (p BudgetControl) Schedule(t Tracking, now time.Time) (Tier, time.Time) {
	tier, next := p.Policy.Schedule(t, now)
	if next.IsZero() {
		return tier, next
	}
	if p.DayPass && t.Activity.PaidOn(now) && t.Activity.PaidOn(next.Add(dayMargin)) {
		return tier, next
	}
	return tier, now.Add(next.Sub(now) * p.stretch(tier))
}

// stretch is how many times as long a tier's gaps are.
func (p BudgetControl) stretch(t Tier) time.Duration {
	switch {
	case p.Used < LowBudget || t == UltraHot:
		return 1
	case p.Used < ScarceBudget:
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
