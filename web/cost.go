package web

import (
	"context"
	"math"
	"net/http"
	"time"

	"gorgone/store"
	"gorgone/web/auth"
)

// balancesSince is how far back the ledger is held against the provider's
// balance, in engine time.
const balancesSince = 30 * 24 * time.Hour

// costs is what look-ups cost.
type costs struct {
	Today       costSum    `json:"today"` // UTC
	Month       costSum    `json:"month"`
	Budget      costBudget `json:"budget"`
	CreditsLeft *float64   `json:"credits_left"` // at the provider, when last read, of all of them; null: not known
	Balances    []balance  `json:"balances"`
	Purchases   purchases  `json:"purchases"`
}

// costSum is what was spent in a stretch of time.
type costSum struct {
	Calls   float64 `json:"calls"`
	Tweets  float64 `json:"tweets"` // billed
	Credits float64 `json:"credits"`
	Cost    float64 `json:"cost"` // dollars
}

func (c *costSum) add(e store.Expense) {
	c.Calls += e.Calls
	c.Tweets += e.Tweets
	c.Credits += e.Credits
	c.Cost += e.Dollars
	// Shares of a call among zones add up to a whole again.
	c.Calls, c.Tweets, c.Credits, c.Cost = rounded(c.Calls), rounded(c.Tweets), rounded(c.Credits), rounded(c.Cost)
}

// rounded takes away what floating point leaves behind the sixth digit.
func rounded(x float64) float64 { return math.Round(x*1e6) / 1e6 }

// costBudget is what may be spent, in dollars; null: without bound.
type costBudget struct {
	Day        *float64 `json:"day"`
	Month      *float64 `json:"month"`
	RefreshDay *float64 `json:"refresh_day"`
}

// balance holds the ledger against a provider's own word, in credits.
type balance struct {
	Provider string    `json:"provider"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Left     float64   `json:"left"`
	Taken    float64   `json:"taken"`
	Added    float64   `json:"added"`
	Booked   float64   `json:"booked"`
	Drift    float64   `json:"drift"` // share of what was taken that the ledger lacks
}

// purchases is what the adaptive schedule buys for the money, for half of it and
// for double.
type purchases struct {
	Now    purchase `json:"now"`
	Half   purchase `json:"half"`
	Double purchase `json:"double"`
}

type purchase struct {
	LooksPerHour  float64 `json:"looks_per_hour"`
	DollarsPerDay float64 `json:"dollars_per_day"`
	DelaySeconds  float64 `json:"delay_seconds"` // mean time until an engagement is seen
}

func purchaseOf(p store.Purchase) purchase {
	return purchase{rounded(p.LooksPerHour), rounded(p.DollarsPerDay), rounded(p.Delay.Seconds())}
}

// cost answers what look-ups cost: to services and to those who see all zones,
// because it is the sum of all. The numbers are the same for all who ask within
// two seconds.
func (s *Server) cost(w http.ResponseWriter, r *request) error {
	if r.caller.Kind == auth.KindUser { // those who may operate see all zones
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
	list, err := s.parts.Books.Expenses(ctx, today.AddDate(0, 0, 1-today.Day()), now)
	if err != nil {
		return costs{}, err
	}
	c := costs{Balances: []balance{}}
	for _, e := range list {
		c.Month.add(e)
		if e.Day.Equal(today) {
			c.Today.add(e)
		}
	}
	spent, err := s.parts.Books.Spent(ctx)
	if err != nil {
		return costs{}, err
	}
	bound := func(dollars float64) *float64 {
		if dollars <= 0 {
			return nil
		}
		return &dollars
	}
	c.Budget = costBudget{bound(spent.Budget.Day), bound(spent.Budget.Month), bound(spent.Budget.RefreshDay)}
	balances, err := s.parts.Books.Reconcile(ctx, now.Add(-balancesSince))
	if err != nil {
		return costs{}, err
	}
	for _, b := range balances {
		if b.Endless() {
			continue // there is nothing to hold the ledger against
		}
		if c.CreditsLeft == nil {
			c.CreditsLeft = new(float64)
		}
		*c.CreditsLeft += b.Left
		c.Balances = append(c.Balances, balance{b.Provider, b.From.UTC(), b.To.UTC(), rounded(b.Left), rounded(b.Taken), rounded(b.Added), rounded(b.Booked), rounded(b.Drift())})
	}
	p, err := s.parts.Books.Purchases(ctx)
	if err != nil {
		return costs{}, err
	}
	c.Purchases = purchases{purchaseOf(p.Now), purchaseOf(p.Half), purchaseOf(p.Double)}
	return c, nil
}
