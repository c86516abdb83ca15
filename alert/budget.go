package alert

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/budget"
)

// CheckBudgets raises and clears the alerts of the rules on budgets and on caps: one when the
// rule's share of it is spent, one when a soft cap is passed, and one when it is used up. Any
// number of processes may do so at once.
func (m *Manager) CheckBudgets(ctx context.Context, spent store.Spending, tenants []budget.State) error {
	limits := spent.Limits()
	for _, t := range tenants {
		limits = append(limits, t.Limits...)
	}
	return m.check(ctx, engagement.AlertBudget, "check the budgets", func(rules []Rule, states lastAlerts, now time.Time) changes {
		return decideBudgets(rules, states, limits, now)
	})
}

// budgetSubject is what an alert on a budget is about: that it runs low, that a soft cap is
// passed, or that it is used up.
func budgetSubject(l budget.Limit, what string) uuid.UUID {
	name := "gorgone:budget:" + l.Period + ":" + what
	if l.Owner != nil {
		name += ":" + l.Owner.Kind + ":" + l.Owner.ID.String()
	}
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(name))
}

func decideBudgets(rules []Rule, states lastAlerts, limits []budget.Limit, now time.Time) changes {
	var moves changes
	met := make(map[stateKey]bool) // what may go on
	for i := range rules {
		rule := &rules[i]
		for _, l := range limits {
			percent := l.Share() * 100
			low := rule.Compare(percent)
			spent := fmt.Sprintf("%.0f%% of %s is spent: %.2f of %.2f dollars", percent, l, l.Spent, l.Dollars)
			for _, r := range []struct {
				what    string
				reading engagement.AlertReading
				message string
			}{
				{"low", low, spent},
				{"soft", engagement.AlertReading{Value: l.Spent, Over: l.SoftPassed(), Clear: !l.SoftPassed()}, l.SoftNotice()},
				{"used up", engagement.AlertReading{Value: percent, Over: l.Exhausted(), Clear: !l.Exhausted() && low.Clear}, l.Notice()},
			} {
				about := budgetSubject(l, r.what)
				key := stateKey{about, rule.ID}
				met[key] = true
				state := states[key]
				switch _, move := rule.Step(state.AlertState, r.reading, now); move {
				case engagement.AlertRaised:
					moves.raised = append(moves.raised, Alert{
						RuleID: rule.ID, Rule: rule.Name, Kind: rule.Kind, Zone: rule.Zone, About: about, Value: percent,
						Threshold: rule.Threshold, Message: r.message, RaisedAt: now,
					})
				case engagement.AlertCleared:
					moves.cleared = append(moves.cleared, state.id)
				case engagement.AlertUnchanged:
				}
			}
		}
	}
	for key, state := range states {
		if state.Active && !met[key] { // the rule is gone, or the budget
			moves.cleared = append(moves.cleared, state.id)
		}
	}
	return moves
}
