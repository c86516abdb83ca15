package answers

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/purchase"
	"gorgone/store/report"
)

// Sum is the cost of a period.
type Sum struct {
	Calls   float64 `json:"calls"`
	Tweets  float64 `json:"tweets"` // billed
	Credits float64 `json:"credits"`
	Cost    float64 `json:"cost"` // dollars
}

// Add adds an expense. A call's cost is split among zones; rounding makes the shares add
// up to whole numbers again.
func (s *Sum) Add(e store.Expense) {
	s.Calls, s.Tweets = Rounded(s.Calls+e.Calls), Rounded(s.Tweets+e.Tweets)
	s.Credits, s.Cost = Rounded(s.Credits+e.Credits), Rounded(s.Cost+e.Dollars)
}

// ClientOf returns the client that an expense is for: whose the zone is, or the key of a call
// that was for no zone.
func ClientOf(e store.Expense, byZone map[uuid.UUID]uuid.UUID) uuid.UUID {
	if client, known := byZone[e.Zone]; known {
		return client
	}
	return e.Client
}

// Kind is what calls of a kind cost at a provider.
type Kind struct {
	Provider string `json:"provider"`
	Kind     string `json:"kind"` // schedule, refresh, control or retry
	Sum
}

// KindsOf adds expenses up by provider and kind.
func KindsOf(list []store.Expense) []Kind {
	kinds := []Kind{}
	for _, x := range list {
		i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Provider == x.Provider && k.Kind == x.Kind })
		if i < 0 {
			i, kinds = len(kinds), append(kinds, Kind{Provider: x.Provider, Kind: x.Kind})
		}
		kinds[i].Add(x)
	}
	slices.SortFunc(kinds, func(a, b Kind) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Kind, b.Kind))
	})
	return kinds
}

// Balance compares the ledger with a provider's account, in credits.
type Balance struct {
	Provider string    `json:"provider"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Left     float64   `json:"left"`
	Taken    float64   `json:"taken"`
	Added    float64   `json:"added"`
	Booked   float64   `json:"booked"`
	Drift    float64   `json:"drift"` // fraction of what was taken that the ledger lacks
}

// BalanceOf names what a comparison found.
func BalanceOf(b report.Reconciliation) Balance {
	return Balance{b.Provider, b.From.UTC(), b.To.UTC(), Rounded(b.Left), Rounded(b.Taken), Rounded(b.Added), Rounded(b.Booked), Rounded(b.Drift())}
}

// Purchases is what the adaptive schedule achieves with the present budget, half of it
// and twice of it.
type Purchases struct {
	Now    Purchase `json:"now"`
	Half   Purchase `json:"half"`
	Double Purchase `json:"double"`
}

// Purchase is what a budget achieves.
type Purchase struct {
	LooksPerHour  float64 `json:"looks_per_hour"`
	DollarsPerDay float64 `json:"dollars_per_day"`
	DelaySeconds  float64 `json:"delay_seconds"` // mean time until an engagement is seen
}

// PurchasesOf names an estimate.
func PurchasesOf(p purchase.Choices) Purchases {
	return Purchases{purchaseOf(p.Now), purchaseOf(p.Half), purchaseOf(p.Double)}
}

func purchaseOf(p purchase.Purchase) Purchase {
	return Purchase{Rounded(p.LookupsPerHour), Rounded(p.DollarsPerDay), Rounded(p.Delay.Seconds())}
}

// Budget is a budget that is set. Its dollars are for operators.
type Budget struct {
	Period  string    `json:"period"` // day, month or refresh_day
	UsedUp  bool      `json:"used_up"`
	Next    time.Time `json:"next"` // when the next one begins, in engine time
	Dollars *float64  `json:"dollars,omitempty"`
	Spent   *float64  `json:"spent,omitempty"`
}

// BudgetsOf names the budgets that are set, with their dollars or without.
func BudgetsOf(s store.Spending, dollars bool) []Budget {
	limits := s.Limits()
	list := make([]Budget, len(limits))
	for i, l := range limits {
		list[i] = Budget{Period: l.Period, UsedUp: l.Exhausted(), Next: l.Next.UTC()}
		if dollars {
			set, used := l.Dollars, Rounded(l.Spent)
			list[i].Dollars, list[i].Spent = &set, &used
		}
	}
	return list
}

// recentDays is how many whole days the rest of a month is projected from.
const recentDays = 7

// MonthEnd projects what the UTC month of now costs in all: what was spent, and for the rest
// of it the mean of the last seven whole days of the list, or, where these are not all in it,
// of those from its first day on.
func MonthEnd(list []store.Expense, now time.Time) float64 {
	now = now.UTC()
	today := now.Truncate(24 * time.Hour)
	month := today.AddDate(0, 0, 1-today.Day())
	ends := month.AddDate(0, 1, 0)
	first := today
	for _, e := range list {
		if e.Day.Before(first) {
			first = e.Day
		}
	}
	if week := today.AddDate(0, 0, -recentDays); first.Before(week) {
		first = week
	}
	var spent, recent float64
	for _, e := range list {
		if !e.Day.Before(month) {
			spent += e.Dollars
		}
		if !e.Day.Before(first) && e.Day.Before(today) {
			recent += e.Dollars
		}
	}
	days := today.Sub(first).Hours() / 24
	if days == 0 { // today is the first day: it goes on as it began
		recent, days = spent, max(now.Sub(today).Hours()/24, 1.0/24)
	}
	return Rounded(spent + recent/days*ends.Sub(now).Hours()/24)
}
