package web_test

import (
	"testing"

	"gorgone/internal/testkit"
	"gorgone/store"
	"gorgone/twitter"
)

// spendAll is an engine whose budget of the day is used up.
func spendAll(t *testing.T) *engine {
	t.Helper()
	e := newEngine(t, options{tweets: 3, budget: store.Budget{Day: 1}})
	testkit.Must(t, e.ledger.RecordCalls(t.Context(), false, store.Calls{Provider: twitter.TwitterAPIName, Count: 2, Billed: 100}))
	return e
}

// TestStatisticsTellOfBudgets: who may not operate learns that look-ups wait and until
// when, but no sum.
func TestStatisticsTellOfBudgets(t *testing.T) {
	t.Parallel()
	e := spendAll(t)
	_, manager := e.user("manager", true)
	for token, dollars := range map[string]bool{e.service: true, manager: false} {
		var got struct {
			Tracking struct {
				Budgets []struct {
					Period         string
					UsedUp         bool `json:"used_up"`
					Next           string
					Dollars, Spent *float64
				}
			} `json:"tracking_stats"`
		}
		e.ok(200, "GET", updatePath, token, "").into(t, &got)
		list := got.Tracking.Budgets
		if len(list) != 1 || list[0].Period != "day" || !list[0].UsedUp || list[0].Next == "" || (list[0].Dollars != nil) != dollars || dollars && *list[0].Spent != 1 {
			t.Errorf("%+v", list)
		}
	}
}
