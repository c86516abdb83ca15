package web_test

import (
	"testing"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/web/auth"
)

// TestBudgetsAreSetAndTold: who may operate sets and sees caps; what is out of range is
// refused, nothing else of a zone's settings is touched, and a refresh beyond a cap is
// answered with whose it is.
func TestBudgetsAreSetAndTold(t *testing.T) {
	t.Parallel()
	e := newEngine(t, options{tweets: 1, budget: store.Budget{Day: 10}})
	const path = "/api/twitter/budgets"
	at := "/api/twitter/zones/" + e.zone.String() + "/budget"
	client := "/api/twitter/clients/"
	operate := scopedToken(auth.ScopeOperate)
	_, manager := e.user("manager", true)
	e.ok(403, "POST", at, manager, `{"day": 1}`)
	e.ok(403, "GET", path, manager, "")
	for _, bad := range []string{`{"day": -1}`, `{"soft_day": 2, "day": 1}`, `{"weight": 1000}`, `{"days": 1}`, `[]`} {
		e.ok(400, "POST", at, operate, bad)
	}
	e.ok(404, "POST", "/api/twitter/zones/"+uuid.NewString()+"/budget", operate, `{"day": 1}`)
	e.ok(404, "POST", client+uuid.NewString()+"/budget", operate, `{"day": 1}`)
	e.exec(`update zones set settings = '{"mine": 1}' where id = $1`, e.zone)
	e.ok(200, "POST", at, operate, `{"day": 0.001, "soft_month": 5}`)
	if n := e.count(`select count(*) from zones where id = $1 and settings = '{"mine": 1, "budget": {"day": 0.001, "soft_month": 5}}'`, e.zone); n != 1 {
		t.Error("the settings are others")
	}
	row, _ := e.row(0)
	a := e.ok(402, "POST", refreshPath(row)+"?force=true", e.service, "")
	var refused struct {
		Code string
		Cap  struct {
			Kind, Name, Period string
			ID                 uuid.UUID
			Dollars            float64
		}
	}
	a.into(t, &refused)
	if c := refused.Cap; refused.Code != "cap" || c.Kind != "zone" || c.ID != e.zone || c.Period != "day" || c.Dollars != 0.001 {
		t.Errorf("a refresh beyond the cap is refused with %+v", refused)
	}
	var owner uuid.UUID
	if err := e.sql.QueryRow(t.Context(), `select client_id from zones where id = $1`, e.zone).Scan(&owner); err != nil {
		t.Fatal(err)
	}
	e.ok(200, "POST", client+owner.String()+"/budget", operate, `{"month": 100, "weight": 2}`)
	list := func() map[string]float64 {
		t.Helper()
		var got struct {
			Data []struct {
				Kind   string
				ID     uuid.UUID
				Budget struct{ Day, Month, Weight float64 }
			}
		}
		e.ok(200, "GET", path, operate, "").into(t, &got)
		caps := make(map[string]float64)
		for _, b := range got.Data {
			caps[b.Kind+" "+b.ID.String()] = b.Budget.Day + b.Budget.Month
		}
		return caps
	}
	if caps := list(); len(caps) != 2 || caps["zone "+e.zone.String()] != 0.001 || caps["client "+owner.String()] != 100 {
		t.Errorf("an operator sees %v", caps)
	}
	e.ok(200, "POST", client+owner.String()+"/budget", operate, `{}`)
	e.ok(200, "POST", at, operate, `{}`)
	if caps := list(); len(caps) != 0 {
		t.Errorf("after all are removed: %v", caps)
	}
}
