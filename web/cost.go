package web

import (
	"context"
	"net/http"
	"time"

	"gorgone/web/answers"
	"gorgone/web/auth"
)

// reconcileWindow is how far back the ledger is compared with the provider's balance, in
// engine time.
const reconcileWindow = 30 * 24 * time.Hour

// cost responds with the cost of look-ups. As that is the sum over all zones, only
// services and users who see all zones may read it. Answers are shared for two seconds.
func (s *Server) cost(w http.ResponseWriter, r *request) error {
	if r.caller.Kind == auth.KindUser { // operators see all zones
		zones, _, err := s.parts.Access.Zones(r.Context(), r.caller, auth.ScopeOperate)
		if err != nil {
			return err
		}
		if len(zones) == 0 {
			return &auth.RefusedError{Reason: auth.ReasonScope}
		}
	}
	c, err := s.costs.get(r.Context(), "", s.readCosts)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, struct {
		Success bool          `json:"success"`
		Data    answers.Costs `json:"data"`
	}{true, c})
}

func (s *Server) readCosts(ctx context.Context) (answers.Costs, error) {
	now := s.parts.Clock.Now().UTC()
	today := now.Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-answers.CostDays) // a month has no more days
	list, err := s.parts.Ledger.Expenses(ctx, first, now)
	if err != nil {
		return answers.Costs{}, err
	}
	zones, err := s.parts.Ledger.Zones(ctx)
	if err != nil {
		return answers.Costs{}, err
	}
	c := answers.Costs{MonthEnd: answers.MonthEnd(list, now), Balances: []answers.Balance{}, Limits: []answers.CostUsed{}}
	c.BreakDown(list, zones, first, today)
	for _, e := range list {
		if e.Day.Month() == today.Month() {
			c.Month.Add(e)
		}
		if e.Day.Equal(today) {
			c.Today.Add(e)
		}
	}
	spent, err := s.parts.Ledger.Spending(ctx)
	if err != nil {
		return answers.Costs{}, err
	}
	bound := func(dollars float64) *float64 {
		if dollars <= 0 {
			return nil
		}
		return &dollars
	}
	for _, l := range spent.Limits() {
		c.Limits = append(c.Limits, answers.CostUsed{Period: l.Period, Dollars: l.Dollars, Spent: answers.Rounded(l.Spent), UsedUp: l.Exhausted(), Next: l.Next.UTC()})
	}
	c.Budget = answers.CostBudget{Day: bound(spent.Budget.Day), Month: bound(spent.Budget.Month), RefreshDay: bound(spent.Budget.RefreshDay)}
	balances, err := s.parts.Reports.Reconcile(ctx, now.Add(-reconcileWindow))
	if err != nil {
		return answers.Costs{}, err
	}
	for _, b := range balances {
		if answers.Endless(b.Left) {
			continue // an account without a limit has nothing to compare with
		}
		if c.CreditsLeft == nil {
			c.CreditsLeft = new(float64)
		}
		*c.CreditsLeft += b.Left
		c.Balances = append(c.Balances, answers.BalanceOf(b))
	}
	p, err := s.parts.Ledger.Purchases(ctx)
	if err != nil {
		return answers.Costs{}, err
	}
	c.Purchases = answers.PurchasesOf(p)
	return c, nil
}
