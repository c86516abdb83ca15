package cli

import (
	"strings"
	"testing"
	"time"

	"gorgone/store"
	"gorgone/store/bill"
)

// TestCostByProviderAndKind adds expenses of two days up, and reads the table.
func TestCostByProviderAndKind(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	c := &cost{To: day.AddDate(0, 0, 1)}
	c.gather([]store.Expense{
		{Day: day, Provider: "x", Kind: bill.PurposeSchedule, Calls: 2, Tweets: 10, Dollars: 0.05},
		{Day: day.AddDate(0, 0, 1), Provider: "x", Kind: bill.PurposeSchedule, Calls: 1, Tweets: 4, Dollars: 0.02},
		{Day: day, Provider: "x", Kind: bill.PurposeControl, Tweets: 1, Dollars: 0.005},
		{Day: day, Provider: "socialdata", Kind: bill.PurposeRefresh, Refresh: true, Calls: 1, Tweets: 5, Dollars: 0.001},
	}, nil)
	var out strings.Builder
	c.print(&out, false)
	for _, want := range []string{"socialdata, refresh 1 5 0 0.0010", "x, control 0 1 0 0.0050", "x, schedule 3 14 0 0.0700"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}
