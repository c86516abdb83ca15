package answers

import (
	"time"

	"github.com/google/uuid"

	"gorgone/store/budget"
)

// Cap is a cap that is used up.
type Cap struct {
	Kind    string    `json:"kind"` // whose: zone or client
	ID      uuid.UUID `json:"id"`
	Name    string    `json:"name"`
	Period  string    `json:"period"` // day or month, in UTC
	Dollars float64   `json:"dollars"`
	Spent   float64   `json:"spent"` // with what is under way
	Until   time.Time `json:"until"` // when the next period begins, in engine time
}

// CapOf names a cap that lacks money.
func CapOf(s budget.Shortage) *Cap {
	return &Cap{s.Owner.Kind, s.Owner.ID, s.Owner.Name, s.Period, s.Cap, Rounded(s.Spent), s.Until.UTC()}
}

// Tenant is a zone or client with its caps, and what counts as spent by it.
type Tenant struct {
	Kind      string      `json:"kind"` // zone or client
	ID        uuid.UUID   `json:"id"`
	Name      string      `json:"name"`
	Budget    budget.Caps `json:"budget"`
	Today     float64     `json:"today"` // dollars, refreshes included
	Month     float64     `json:"month"`
	Committed float64     `json:"committed"` // what is under way will cost
	UsedUp    []string    `json:"used_up"`   // the hard caps that stop scheduled look-ups: day, month
	Soft      []string    `json:"soft"`      // the soft caps that are passed
	Fault     string      `json:"fault"`     // why what is set cannot be read and counts for nothing; "": it can
}

// TenantOf names a zone or client with caps.
func TenantOf(s budget.State) Tenant {
	t := Tenant{
		Kind: s.Kind, ID: s.ID, Name: s.Name, Budget: s.Caps, Today: Rounded(s.Spent.Today), Month: Rounded(s.Spent.Month),
		Committed: Rounded(s.Spent.Committed), UsedUp: []string{}, Soft: []string{}, Fault: s.Fault,
	}
	for _, l := range s.Limits {
		if l.Exhausted() {
			t.UsedUp = append(t.UsedUp, l.Period)
		}
		if l.SoftPassed() {
			t.Soft = append(t.Soft, l.Period)
		}
	}
	return t
}
