package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"gorgone/store"
	"gorgone/store/bill"
)

// TestCostByProviderAndKind adds expenses of two days up, and reads the table.
func TestCostByProviderAndKind(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	c := &cost{To: day.AddDate(0, 0, 1)}
	acme, zone := uuid.New(), uuid.New()
	c.gather([]store.Expense{
		{Day: day, Provider: "x", Kind: bill.PurposeSchedule, Calls: 2, Tweets: 10, Dollars: 0.05},
		{Day: day.AddDate(0, 0, 1), Provider: "x", Kind: bill.PurposeSchedule, Calls: 1, Tweets: 4, Dollars: 0.02},
		{Day: day, Provider: "x", Kind: bill.PurposeControl, Tweets: 1, Dollars: 0.005},
		{Day: day, Provider: "socialdata", Kind: bill.PurposeRefresh, Zone: zone, Refresh: true, Calls: 1, Tweets: 5, Dollars: 0.001},
	}, []store.Zone{{ID: zone, Name: "Elections", ClientID: acme, ClientName: "ACME"}})
	var out strings.Builder
	c.print(&out, "client", partLines(c.Clients))
	for _, want := range []string{"client calls", "(none) 3 15 0 0.0750 0.0000", "ACME 1 5 0 0.0010 0.0010", "socialdata, refresh 1 5 0 0.0010", "x, control 0 1 0 0.0050", "x, schedule 3 14 0 0.0700"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("no %q in:\n%s", want, out.String())
		}
	}
}
