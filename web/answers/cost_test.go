package answers_test

import (
	"testing"
	"time"

	"gorgone/store"
	"gorgone/web/answers"
)

// TestMonthEnd: a month of 30 days of which 20 and a half are over.
func TestMonthEnd(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	days := func(first, last time.Time, dollars float64) (list []store.Expense) {
		for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
			list = append(list, store.Expense{Day: day, Dollars: dollars})
		}
		return list
	}
	date := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC) }
	for name, tc := range map[string]struct {
		list []store.Expense
		want float64
	}{
		"nothing":                  {nil, 0},
		"a dollar a day, ever":     {append(days(date(10, 1), date(11, 20), 1), days(date(11, 21), date(11, 21), 0.5)...), 30},
		"two dollars in this week": {append(days(date(11, 1), date(11, 13), 1), days(date(11, 14), date(11, 20), 2)...), 13 + 14 + 9.5*2},
		"since two days":           {days(date(11, 19), date(11, 20), 3), 6 + 9.5*3},
		"since today":              {days(date(11, 21), date(11, 21), 1), 1 + 9.5*2},
	} {
		if got := answers.MonthEnd(tc.list, now); got < tc.want-1e-6 || got > tc.want+1e-6 {
			t.Errorf("%s: %g, want %g", name, got, tc.want)
		}
	}
}
