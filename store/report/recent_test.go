package report_test

import (
	"strings"
	"testing"

	"gorgone/store"
	"gorgone/store/report"
)

// TestWhatCameOfTheLastCallsIsAFault: a provider that refuses every call, or whose answers
// are of no use, is named whatever the state of the breaker.
func TestWhatCameOfTheLastCallsIsAFault(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		work report.RecentWork
		says string // "": all well
	}{
		"nothing yet":      {report.RecentWork{}, ""},
		"all well":         {report.RecentWork{Found: 100, Missing: 20, Calls: store.Calls{Count: 10}}, ""},
		"one failed":       {report.RecentWork{Found: 100, Calls: store.Calls{Count: 10, Failed: 1}}, ""},
		"few calls":        {report.RecentWork{Calls: store.Calls{Count: 2, Failed: 2}}, ""},
		"most failed":      {report.RecentWork{Found: 10, Calls: store.Calls{Count: 10, Failed: 9}}, "9 of the last 10 calls failed"},
		"nothing usable":   {report.RecentWork{Unresolved: 100, Calls: store.Calls{Count: 10}}, "100 of the last 100 tweets"},
		"a few unreadable": {report.RecentWork{Found: 95, Unresolved: 5, OddCounts: 4, Calls: store.Calls{Count: 10}}, ""},
		"odd counters":     {report.RecentWork{Found: 90, OddCounts: 9, Calls: store.Calls{Count: 10}}, "9 of the last 90 tweets had counters"},
		"few tweets":       {report.RecentWork{Found: 9, OddCounts: 9, Calls: store.Calls{Count: 1}}, ""},
	} {
		err := tc.work.Fault()
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}
