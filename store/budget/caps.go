package budget

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

// Caps bound what look-ups for a zone, or for all zones of a client, may cost, in dollars;
// refreshes count too. 0 is no cap. In the database they are JSON: in the settings of a zone
// under "budget", and in gorgone.client_budgets.
type Caps struct {
	Day       float64 `json:"day,omitempty"`        // a UTC day: nothing is looked up beyond it
	Month     float64 `json:"month,omitempty"`      // a UTC month, likewise
	SoftDay   float64 `json:"soft_day,omitempty"`   // beyond it the zone is served after others, and an alert is raised
	SoftMonth float64 `json:"soft_month,omitempty"` // likewise

	// Weight is for how many equals a zone counts when not all that is due can be looked up;
	// 0 is 1. A client with a weight counts for that many zones, however many it has.
	Weight float64 `json:"weight,omitempty"`
}

// Bounds of what may be set.
const (
	MostDollars = 1e6
	LeastWeight = 0.01
	MostWeight  = 100
)

// Check says what is wrong with the caps.
func (c Caps) Check() error {
	for _, f := range []struct {
		key   string
		value float64
	}{{"day", c.Day}, {"month", c.Month}, {"soft_day", c.SoftDay}, {"soft_month", c.SoftMonth}} {
		if !(f.value >= 0 && f.value <= MostDollars) {
			return fmt.Errorf("%s is %g: want dollars from 0, which is no cap, to %.0f", f.key, f.value, MostDollars)
		}
	}
	switch {
	case c.Weight != 0 && !(c.Weight >= LeastWeight && c.Weight <= MostWeight):
		return fmt.Errorf("weight is %g: want %g to %d, or 0 for the usual one", c.Weight, LeastWeight, MostWeight)
	case c.Day > 0 && c.SoftDay > c.Day:
		return fmt.Errorf("soft_day is %g, above the cap of the day, %g: want less", c.SoftDay, c.Day)
	case c.Month > 0 && c.SoftMonth > c.Month:
		return fmt.Errorf("soft_month is %g, above the cap of the month, %g: want less", c.SoftMonth, c.Month)
	}
	return nil
}

// ParseCaps reads caps as they are stored. An empty text is none.
func ParseCaps(text string) (c Caps, err error) {
	if text == "" {
		return Caps{}, nil
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return Caps{}, fmt.Errorf("read a budget from its JSON: %w", err)
	}
	return c, c.Check()
}

// capped reports whether anything that is spent matters to it.
func (c Caps) capped() bool { return c.Day > 0 || c.Month > 0 || c.SoftDay > 0 || c.SoftMonth > 0 }

// Spent is what counts as spent by a zone or a client, in dollars.
type Spent struct {
	Today, Month               float64 // with what calls may have cost whose answers were lost
	RefreshToday, RefreshMonth float64 // of it, for refreshes
	Committed                  float64 // what is claimed, or asked for, and not answered will cost
	RefreshCommitted           float64 // of it, for refreshes
}

func (s *Spent) add(o Spent) {
	s.Today, s.Month = s.Today+o.Today, s.Month+o.Month
	s.RefreshToday, s.RefreshMonth = s.RefreshToday+o.RefreshToday, s.RefreshMonth+o.RefreshMonth
	s.Committed, s.RefreshCommitted = s.Committed+o.Committed, s.RefreshCommitted+o.RefreshCommitted
}

// RefreshPart is the part of each hard cap that scheduled look-ups leave to refreshes, as
// long as these have not spent it.
const RefreshPart = 0.1

// softWeight is by what the weight of a zone is multiplied whose soft cap is passed.
const softWeight = 0.1

// left returns the dollars that may still be committed, and which cap says so.
func (c Caps) left(s Spent, refresh bool) (dollars float64, period string) {
	dollars = math.Inf(1)
	for _, p := range []struct {
		name               string
		hard, spent, asked float64
	}{{"month", c.Month, s.Month, s.RefreshMonth}, {"day", c.Day, s.Today, s.RefreshToday}} {
		if p.hard <= 0 {
			continue
		}
		left := p.hard - p.spent - s.Committed
		if !refresh {
			left -= kept(p.hard, s, p.asked)
		}
		if left = max(left, 0); left < dollars {
			dollars, period = left, p.name
		}
	}
	return dollars, period
}

// kept is what the schedule leaves of a hard cap to refreshes, which have spent some of it.
func kept(hard float64, s Spent, spent float64) float64 {
	return max(hard*RefreshPart-spent-s.RefreshCommitted, 0)
}

// soft reports whether a soft cap is passed.
func (c Caps) soft(s Spent) bool {
	return c.SoftDay > 0 && s.Today >= c.SoftDay || c.SoftMonth > 0 && s.Month >= c.SoftMonth
}

// next is when the next day or month begins.
func next(period string, now time.Time) time.Time {
	now = now.UTC()
	if period == "month" {
		return time.Date(now.Year(), now.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(now.Year(), now.Month(), now.Day()+1, 0, 0, 0, 0, time.UTC)
}

// Owner is whose cap it is.
type Owner struct {
	Kind string    `json:"kind"` // zone or client
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

// Shortage is a cap that does not have what is asked of it.
type Shortage struct {
	Owner  Owner
	Period string    // day or month
	Cap    float64   // dollars
	Spent  float64   // of it, with what is committed
	Until  time.Time // when the next period begins, in engine time
}

// String says whose cap is used up and until when.
func (s *Shortage) String() string {
	return fmt.Sprintf("the %s %s has used up its cap of %.2f dollars a %s; the next %s begins at %s UTC",
		s.Owner.Kind, s.Owner.Name, s.Cap, s.Period, s.Period, s.Until.UTC().Format(time.DateTime))
}
