package answers

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
)

// Costs is the cost of look-ups.
type Costs struct {
	Today       Sum          `json:"today"` // UTC
	Month       Sum          `json:"month"`
	MonthEnd    float64      `json:"month_end"` // dollars, if the days go on as those of the last week
	Budget      CostBudget   `json:"budget"`
	CreditsLeft *float64     `json:"credits_left"` // over all providers, when last read; null: not known
	Balances    []Balance    `json:"balances"`
	Purchases   Purchases    `json:"purchases"`
	Days        []CostDay    `json:"days"`  // the last 31 UTC days, the oldest first
	Zones       []CostZone   `json:"zones"` // in these days, the dearest first
	Clients     []CostClient `json:"clients"`
	Kinds       []Kind       `json:"kinds"` // in these days, by provider and kind
	Limits      []CostUsed   `json:"limits"`
}

// CostDays is how many days the cost is told by.
const CostDays = 31

// CostDay is the cost of a day.
type CostDay struct {
	Day string `json:"day"` // as 2026-11-24
	Sum
	Refreshes float64               `json:"refresh_cost"` // of the cost, for refreshes
	Zones     map[uuid.UUID]float64 `json:"zones"`        // of the cost, by zone
}

// CostZone is the cost of a zone or client; the zero id is of none that is known.
type CostZone struct {
	ID    uuid.UUID `json:"id"`
	Today float64   `json:"today"`
	Sum
}

// CostClient is the cost of a client.
type CostClient struct {
	CostZone

	Name string `json:"name"` // empty: not known
}

// CostUsed is what is spent of a budget.
type CostUsed struct {
	Period  string    `json:"period"`
	Dollars float64   `json:"dollars"`
	Spent   float64   `json:"spent"`
	UsedUp  bool      `json:"used_up"`
	Next    time.Time `json:"next"`
}

// BreakDown adds what was spent by day, by zone, by client and by kind.
func (c *Costs) BreakDown(list []store.Expense, zones []store.Zone, first, today time.Time) {
	clientOf, names := make(map[uuid.UUID]uuid.UUID, len(zones)), make(map[uuid.UUID]string)
	for _, z := range zones {
		clientOf[z.ID], names[z.ClientID] = z.ClientID, z.ClientName
	}
	c.Kinds, c.Clients = KindsOf(list), []CostClient{}
	c.Zones = shareOut(list, today, func(e store.Expense) uuid.UUID { return e.Zone })
	for _, part := range shareOut(list, today, func(e store.Expense) uuid.UUID { return ClientOf(e, clientOf) }) {
		c.Clients = append(c.Clients, CostClient{part, names[part.ID]})
	}
	for day := first; !day.After(today); day = day.AddDate(0, 0, 1) {
		c.Days = append(c.Days, CostDay{Day: day.Format(time.DateOnly), Zones: map[uuid.UUID]float64{}})
	}
	for _, e := range list {
		i := int(e.Day.Sub(first) / (24 * time.Hour))
		if i < 0 || i >= len(c.Days) {
			continue
		}
		c.Days[i].Add(e)
		c.Days[i].Zones[e.Zone] = Rounded(c.Days[i].Zones[e.Zone] + e.Dollars)
		if e.Refresh {
			c.Days[i].Refreshes = Rounded(c.Days[i].Refreshes + e.Dollars)
		}
	}
}

// shareOut sums up what was spent by who it was spent for.
func shareOut(list []store.Expense, today time.Time, of func(store.Expense) uuid.UUID) []CostZone {
	parts := make(map[uuid.UUID]*CostZone)
	for _, e := range list {
		id := of(e)
		if parts[id] == nil {
			parts[id] = &CostZone{ID: id}
		}
		parts[id].Add(e)
		if e.Day.Equal(today) {
			parts[id].Today = Rounded(parts[id].Today + e.Dollars)
		}
	}
	all := make([]CostZone, 0, len(parts))
	for _, z := range parts {
		all = append(all, *z)
	}
	slices.SortFunc(all, func(a, b CostZone) int { return cmp.Or(cmp.Compare(b.Cost, a.Cost), bytes.Compare(a.ID[:], b.ID[:])) })
	return all
}

// CostBudget is what may be spent, in dollars; null: no limit.
type CostBudget struct {
	Day        *float64 `json:"day"`
	Month      *float64 `json:"month"`
	RefreshDay *float64 `json:"refresh_day"`
}
