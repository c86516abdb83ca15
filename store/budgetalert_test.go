package store_test

import (
	"testing"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/store"
	"gorgone/store/postgres"
)

// TestBudgetAlertWithoutARule: who sets a budget is told when it runs out, by the rule that
// a new database has. The alerts are the operators': they are of no zone.
func TestBudgetAlertWithoutARule(t *testing.T) {
	t.Parallel()
	e := newEnv(t, postgres.ExecPrepared)
	s := e.with(store.Options{Budget: store.Budget{Day: 1, RefreshDay: 1}})
	check := func(refresh bool, tweets int) []alert.Alert {
		t.Helper()
		if err := s.RecordCalls(t.Context(), refresh, store.Calls{Provider: "p", Count: 1, Billed: tweets}); err != nil {
			t.Fatal(err)
		}
		for range 2 { // two dispatchers
			if err := e.CheckBudgets(t.Context(), e.spent(t, s), nil); err != nil {
				t.Fatal(err)
			}
		}
		return e.alerts(t)
	}
	if list := check(false, 79); len(list) != 0 {
		t.Errorf("79%%: %+v", list)
	}
	if list := check(false, 1); len(list) != 1 || list[0].Kind != engagement.AlertBudget || list[0].Zone != [16]byte{} || list[0].Value != 80 {
		t.Errorf("80%%: %+v", list)
	}
	if list := check(false, 20); len(list) != 2 {
		t.Errorf("100%%: %+v", list)
	}
	if list := check(true, 100); len(list) != 4 {
		t.Errorf("refreshes too: %+v", list)
	}
	e.clock.advance(24 * 60 * 60 * 1e9)
	check(false, 1)
	if n := e.count(t, `select count(*) from gorgone.alerts where cleared_at is null`); n != 0 {
		t.Errorf("%d are active on the next day", n)
	}
}
