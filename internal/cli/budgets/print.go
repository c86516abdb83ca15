package budgets

import (
	"fmt"
	"io"
	"time"

	"gorgone/store"
	"gorgone/store/purchase"
)

// PrintSpent prints what is spent of the budgets of all that is looked up.
func PrintSpent(out io.Writer, s store.Spending) {
	for _, b := range []struct {
		name          string
		spent, budget float64
	}{
		{"today", s.Today, s.Budget.Day}, {"this month", s.Month, s.Budget.Month}, {"refreshes today", s.RefreshToday, s.Budget.RefreshDay},
	} {
		if b.budget > 0 {
			fmt.Fprintf(out, "budget, %s: %.4f of %.2f dollars (%.0f%%)\n", b.name, b.spent, b.budget, b.spent/b.budget*100)
		}
	}
	for _, notice := range Notices(s) {
		fmt.Fprintf(out, "USED UP: %s\n", notice)
	}
}

// Notices says of each budget that is used up when the next one begins.
func Notices(s store.Spending) (notices []string) {
	for _, l := range s.Limits() {
		if notice := l.Notice(); notice != "" {
			notices = append(notices, notice)
		}
	}
	return notices
}

// PrintPurchases says what the adaptive schedule costs, and what other money would
// buy, and when that is more looks an hour than the rate allows.
func PrintPurchases(out io.Writer, p purchase.Choices, most float64) {
	if p.Now.Price == 0 {
		return
	}
	half := "half the looks"
	if p.Now.PaidPerHour < p.Now.LookupsPerHour {
		half = "half the money" // most look-ups cost none
	}
	for _, b := range []struct {
		name string
		p    purchase.Purchase
	}{{"adaptive, now", p.Now}, {half, p.Half}, {"double", p.Double}} {
		if b.p.Price == 0 {
			continue // the sample does not tell
		}
		beyond := ""
		if most > 0 && b.p.LookupsPerHour > most {
			beyond = fmt.Sprintf("; beyond the rate of the key, which allows %.0f an hour", most)
		}
		fmt.Fprintf(out, "%s: %.0f looks an hour, %.2f dollars a day, an engagement seen after %s on average (price %.3g%s)\n",
			b.name, b.p.LookupsPerHour, b.p.DollarsPerDay, b.p.Delay.Round(time.Second), b.p.Price, beyond)
	}
}
