package alert

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/budget"
)

// TestBudgetsAreToldOfTwice: once when the rule's share is spent, and once when nothing is
// left; both are over when the next budget begins.
func TestBudgetsAreToldOfTwice(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rules := []Rule{{ID: uuid.New(), AlertRule: engagement.AlertRule{Kind: engagement.AlertBudget, Threshold: 80, Cooldown: time.Hour}}}
	if err := rules[0].Validate(); err != nil {
		t.Fatal(err)
	}
	spending := func(dollars float64) []budget.Limit {
		return store.Spending{At: noon, Budget: store.Budget{Day: 10}, Today: dollars, Price: 0.01}.Limits()
	}
	states := make(lastAlerts)
	for _, step := range []struct {
		what            string
		limits          []budget.Limit
		raised, cleared int
		says            string
	}{
		{"little is spent", spending(7.9), 0, 0, ""},
		{"much is", spending(8.1), 1, 0, "81% of today's budget is spent: 8.10 of 10.00 dollars"},
		{"more", spending(9.9), 0, 0, ""},
		{"the rest buys nothing", spending(9.992), 1, 0, "today's budget is used up (9.99 of 10.00 dollars): scheduled look-ups go on at 2026-03-02 00:00:00 UTC"},
		{"still", spending(10), 0, 0, ""},
		{"the next day", spending(0.5), 0, 2, ""},
		{"all at once", spending(10), 2, 0, "100% of today's budget"},
		{"without a budget", nil, 0, 2, ""},
	} {
		noon = noon.Add(2 * time.Hour)
		moves := decideBudgets(rules, states, step.limits, noon)
		if len(moves.raised) != step.raised || len(moves.cleared) != step.cleared {
			t.Fatalf("%s: %d raised, %d cleared", step.what, len(moves.raised), len(moves.cleared))
		}
		if step.raised > 0 && !strings.HasPrefix(moves.raised[0].Message, step.says) {
			t.Errorf("%s: %q, want %q", step.what, moves.raised[0].Message, step.says)
		}
		for _, id := range moves.cleared {
			for key, s := range states {
				if s.id == id {
					s.Active = false
					states[key] = s
				}
			}
		}
		for _, a := range moves.raised {
			states[stateKey{a.subject(), a.RuleID}] = lastAlert{AlertState: engagement.AlertState{Active: true, RaisedAt: noon}, id: uuid.New()}
		}
	}
}
