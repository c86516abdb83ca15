package cli

import (
	"strings"
	"testing"
)

// TestBudgetThatIsUsedUp is named wherever one asks why nothing is looked up, in a shell too
// where the settings of up are not set.
func TestBudgetThatIsUsedUp(t *testing.T) {
	t.Parallel()
	sixTweets := "GORGONE_BUDGET_DAY=0.001"
	u := startUpWith(t, []string{sixTweets, "GORGONE_RETENTION=48h"}, madeDir(t), "--tweets", "40")
	u.until("some tweets are tracked", func(s stats) bool { return s.Total > 10 })
	u.until("the budget is used up", func(s stats) bool {
		u.run("due", "--force") // by themselves they may be due in half an hour
		return len(s.Budgets) == 1 && s.Budgets[0].UsedUp
	})
	for _, command := range []string{"stats", "top", "cost", "doctor"} {
		out, code := gorgone(t, "", command, "--data-dir", u.dir)
		if !strings.Contains(out, "today's budget is used up") || !strings.Contains(out, "scheduled look-ups go on at") || (code != 0) != (command == "doctor") {
			t.Errorf("%s: exit %d\n%s", command, code, out)
		}
	}
	for _, command := range []string{"doctor", "retention"} {
		if out, _ := gorgone(t, "", command, "--data-dir", u.dir); !strings.Contains(out, "kept in full for 2 days, as GORGONE_RETENTION says") {
			t.Errorf("%s:\n%s", command, out)
		}
	}
}
