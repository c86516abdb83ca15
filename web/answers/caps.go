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
