//go:build browser

package web_test

import (
	"strings"
	"testing"

	"gorgone/internal/browsertest"
)

// TestPageOfABudget: when it is used up the overview says so and until when, and what is
// overdue is not shown as well.
func TestPageOfABudget(t *testing.T) {
	t.Parallel()
	e := spendAll(t)
	b := browsertest.New(t, 1280, 900)
	e.signIn(b, e.service)
	b.Until(`document.querySelector('[data-budget="day"]') !== null`)
	if text := browsertest.Get[string](b, `document.querySelector("[data-budget]").textContent`); !strings.HasPrefix(text, "Today’s budget is used up ($1.00 of $1.00). Scheduled look-ups go on in ") {
		t.Errorf("the banner: %q", text)
	}
	if mark := browsertest.Get[string](b, `document.querySelector('[data-figure="Backlog"] .mark').className`); mark != "mark bad" {
		t.Errorf("the backlog is marked %q", mark)
	}
}
