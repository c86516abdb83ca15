// Package budget says what is left of a budget, and when the next one begins.
package budget

import (
	"fmt"
	"time"
)

// Limit is a budget that is set, and what counts as spent of it, in dollars.
type Limit struct {
	Period    string    // day, month or refresh_day
	Owner     *Owner    // whose cap it is; nil: it is the budget of all
	Dollars   float64   // the budget; of a cap 0 when only the soft one is set
	Soft      float64   // of a cap, the soft one; 0: none
	Spent     float64   // with what calls may have cost whose answers were lost
	Kept      float64   // of a cap, what is left to refreshes and not for the schedule
	Committed float64   // what is claimed, or asked for, and not answered will cost
	Price     float64   // of another look-up
	Next      time.Time // when the next one begins, in engine time
}

// RefreshPeriod is the period of the budget of refreshes.
const RefreshPeriod = "refresh_day"

// String names the budget.
func (l Limit) String() string {
	if l.Owner != nil {
		return fmt.Sprintf("the %s's cap of the %s %s", l.Period, l.Owner.Kind, l.Owner.Name)
	}
	switch l.Period {
	case "month":
		return "this month's budget"
	case RefreshPeriod:
		return "today's budget of refreshes"
	default:
		return "today's budget"
	}
}

// Refreshes reports whether it is for look-ups that people ask for, rather than for the
// schedule's.
func (l Limit) Refreshes() bool { return l.Period == RefreshPeriod }

// Share is the part of the budget that is spent; 0 of a cap that is only soft.
func (l Limit) Share() float64 {
	if l.Dollars <= 0 {
		return 0
	}
	return l.Spent / l.Dollars
}

// SoftPassed reports whether the soft cap is reached.
func (l Limit) SoftPassed() bool { return l.Soft > 0 && l.Spent >= l.Soft }

// SoftNotice says in a sentence that the soft cap is passed; "" while it is not.
func (l Limit) SoftNotice() string {
	if !l.SoftPassed() {
		return ""
	}
	return fmt.Sprintf("%s: the soft one of %.2f dollars is passed (%.2f spent): others are served first until %s UTC", l, l.Soft, l.Spent, l.Next.Format(time.DateTime))
}

// Exhausted reports whether what is spent leaves too little for another look-up. What is
// committed does not count: it is mostly the dearest that answers may cost, and the rest of
// it is given back.
func (l Limit) Exhausted() bool {
	return l.Dollars > 0 && (l.Spent >= l.Dollars || l.Spent+l.Kept+l.Price > l.Dollars*(1+1e-9))
}

// Lacks reports whether the budget is spent, or does not have more dollars left, committed
// ones taken off.
func (l Limit) Lacks(more float64) bool {
	return l.Spent >= l.Dollars || l.Spent+l.Committed+more > l.Dollars*(1+1e-9)
}

// Notice says in a sentence that the budget is used up, and what that stops until when; ""
// while it is not.
func (l Limit) Notice() string {
	if !l.Exhausted() {
		return ""
	}
	stopped := "scheduled look-ups go on"
	if l.Refreshes() {
		stopped = "refreshes go on"
	}
	spent := fmt.Sprintf("%.2f of %.2f dollars", l.Spent, l.Dollars)
	return fmt.Sprintf("%s is used up (%s): %s at %s UTC", l, spent, stopped, l.Next.Format(time.DateTime))
}
