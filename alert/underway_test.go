package alert

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
	"gorgone/store"
)

// TestMoneyUnderWayIsNotSpent: a budget that claims have committed to the last cent is not
// used up, since answers may cost less.
func TestMoneyUnderWayIsNotSpent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rules := []Rule{{ID: uuid.New(), AlertRule: engagement.AlertRule{Kind: engagement.AlertBudget, Threshold: 80}}}
	spent := store.Spending{At: at, Budget: store.Budget{Day: 10}, Today: 5, Committed: 5, Price: 0.01}
	if which, _ := spent.Exhausted(); which == "" {
		t.Error("a claim would take more than the budget has")
	}
	if moves := decideBudgets(rules, make(lastAlerts), spent.Limits(), at); len(moves.raised) != 0 || spent.Limits()[0].Notice() != "" {
		t.Errorf("%+v, %q", moves.raised, spent.Limits()[0].Notice())
	}
}
