package web

import (
	"bytes"
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/web/answers"
	"gorgone/web/auth"
)

// reconcileWindow is how far back the ledger is compared with the provider's balance, in
// engine time.
const reconcileWindow = 30 * 24 * time.Hour

// costs is the cost of look-ups.
type costs struct {
	Today       answers.Sum       `json:"today"` // UTC
	Month       answers.Sum       `json:"month"`
	MonthEnd    float64           `json:"month_end"` // dollars, if the days go on as those of the last week
	Budget      costBudget        `json:"budget"`
	CreditsLeft *float64          `json:"credits_left"` // over all providers, when last read; null: not known
	Balances    []answers.Balance `json:"balances"`
	Purchases   answers.Purchases `json:"purchases"`
	Days        []costDay         `json:"days"`  // the last 31 UTC days, the oldest first
	Zones       []costZone        `json:"zones"` // in these days, the dearest first
	Clients     []costClient      `json:"clients"`
	Kinds       []answers.Kind    `json:"kinds"` // in these days, by provider and kind
	Limits      []costUsed        `json:"limits"`
}

// costDays is how many days the cost is told by.
const costDays = 31

// costDay is the cost of a day.
type costDay struct {
	Day string `json:"day"` // as 2026-11-24
	answers.Sum
	Refreshes float64               `json:"refresh_cost"` // of the cost, for refreshes
	Zones     map[uuid.UUID]float64 `json:"zones"`        // of the cost, by zone
}

// costZone is the cost of a zone or client; the zero id is of none that is known.
type costZone struct {
	ID    uuid.UUID `json:"id"`
	Today float64   `json:"today"`
	answers.Sum
}

// costClient is the cost of a client.
type costClient struct {
	costZone

	Name string `json:"name"` // empty: not known
}

// costUsed is what is spent of a budget.
type costUsed struct {
	Period  string    `json:"period"`
	Dollars float64   `json:"dollars"`
	Spent   float64   `json:"spent"`
	UsedUp  bool      `json:"used_up"`
	Next    time.Time `json:"next"`
}

// breakDown adds what was spent by day, by zone, by client and by kind.
func (c *costs) breakDown(list []store.Expense, zones []store.Zone, first, today time.Time) {
	clientOf, names := make(map[uuid.UUID]uuid.UUID, len(zones)), make(map[uuid.UUID]string)
	for _, z := range zones {
		clientOf[z.ID], names[z.ClientID] = z.ClientID, z.ClientName
	}
	c.Kinds, c.Clients = answers.KindsOf(list), []costClient{}
	c.Zones = shareOut(list, today, func(e store.Expense) uuid.UUID { return e.Zone })
	for _, part := range shareOut(list, today, func(e store.Expense) uuid.UUID { return answers.ClientOf(e, clientOf) }) {
		c.Clients = append(c.Clients, costClient{part, names[part.ID]})
	}
	for day := first; !day.After(today); day = day.AddDate(0, 0, 1) {
		c.Days = append(c.Days, costDay{Day: day.Format(time.DateOnly), Zones: map[uuid.UUID]float64{}})
	}
	for _, e := range list {
		i := int(e.Day.Sub(first) / (24 * time.Hour))
		if i < 0 || i >= len(c.Days) {
			continue
		}
		c.Days[i].Add(e)
		c.Days[i].Zones[e.Zone] = answers.Rounded(c.Days[i].Zones[e.Zone] + e.Dollars)
		if e.Refresh {
			c.Days[i].Refreshes = answers.Rounded(c.Days[i].Refreshes + e.Dollars)
		}
	}
}

// shareOut sums up what was spent by who it was spent for.
func shareOut(list []store.Expense, today time.Time, of func(store.Expense) uuid.UUID) []costZone {
	parts := make(map[uuid.UUID]*costZone)
	for _, e := range list {
		id := of(e)
		if parts[id] == nil {
			parts[id] = &costZone{ID: id}
		}
		parts[id].Add(e)
		if e.Day.Equal(today) {
			parts[id].Today = answers.Rounded(parts[id].Today + e.Dollars)
		}
	}
	all := make([]costZone, 0, len(parts))
	for _, z := range parts {
		all = append(all, *z)
	}
	slices.SortFunc(all, func(a, b costZone) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), bytes.Compare(a.ID[:], b.ID[:])) })
	return all
}

// costBudget is what may be spent, in dollars; null: no limit.
type costBudget struct {
	Day        *float64 `json:"day"`
	Month      *float64 `json:"month"`
	RefreshDay *float64 `json:"refresh_day"`
}

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
		Success bool  `json:"success"`
		Data    costs `json:"data"`
	}{true, c})
}

func (s *Server) readCosts(ctx context.Context) (costs, error) {
	now := s.parts.Clock.Now().UTC()
	today := now.Truncate(24 * time.Hour)
	first := today.AddDate(0, 0, 1-costDays) // a month has no more days
	list, err := s.parts.Ledger.Expenses(ctx, first, now)
	if err != nil {
		return costs{}, err
	}
	zones, err := s.parts.Ledger.Zones(ctx)
	if err != nil {
		return costs{}, err
	}
	c := costs{MonthEnd: answers.MonthEnd(list, now), Balances: []answers.Balance{}, Limits: []costUsed{}}
	c.breakDown(list, zones, first, today)
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
		return costs{}, err
	}
	bound := func(dollars float64) *float64 {
		if dollars <= 0 {
			return nil
		}
		return &dollars
	}
	for _, l := range spent.Limits() {
		c.Limits = append(c.Limits, costUsed{l.Period, l.Dollars, answers.Rounded(l.Spent), l.Exhausted(), l.Next.UTC()})
	}
	c.Budget = costBudget{bound(spent.Budget.Day), bound(spent.Budget.Month), bound(spent.Budget.RefreshDay)}
	balances, err := s.parts.Reports.Reconcile(ctx, now.Add(-reconcileWindow))
	if err != nil {
		return costs{}, err
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
		return costs{}, err
	}
	c.Purchases = answers.PurchasesOf(p)
	return c, nil
}
