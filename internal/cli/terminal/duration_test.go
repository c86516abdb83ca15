package terminal_test

import (
	"testing"
	"time"

	"gorgone/internal/cli/terminal"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                              "0 seconds",
		time.Second:                    "1 second",
		time.Minute:                    "1 minute",
		3 * time.Minute:                "3 minutes",
		90 * time.Second:               "1 minute 30 seconds",
		time.Hour:                      "1 hour",
		24 * time.Hour:                 "1 day",
		36 * time.Hour:                 "1 day 12 hours",
		720 * time.Hour:                "30 days",
		24*time.Hour + 5*time.Minute:   "1 day",
		2*time.Hour + 1500*time.Second: "2 hours 25 minutes",
	} {
		if got := terminal.Duration(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
