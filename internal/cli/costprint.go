package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"gorgone/internal/cli/budgets"
	"gorgone/web/answers"
)

// costLine is a line of the printed table.
type costLine struct {
	name string
	expense
}

func (c *cost) dayLines() (lines []costLine) {
	for _, d := range c.Days {
		lines = append(lines, costLine{d.Day, d.expense})
	}
	return lines
}

func partLines(parts []*partCost) (lines []costLine) {
	for _, p := range parts {
		lines = append(lines, costLine{p.Name, p.expense})
	}
	return lines
}

// print prints all, the lines first, each of which is a day, or of what else there is.
func (c *cost) print(out io.Writer, of string, lines []costLine) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(name string, e expense) {
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.0f\t%.4f\t%.4f\t\n", name, e.Calls, e.Tweets, e.Credits, e.Cost, e.Refresh)
	}
	fmt.Fprint(w, of, "\tcalls\ttweets billed\tcredits\tdollars\tof it refreshes\t\n")
	for _, l := range lines {
		line(l.name, l.expense)
	}
	line("all", c.Total)
	for _, k := range c.Kinds {
		fmt.Fprintf(w, "%s, %s\t%.0f\t%.0f\t%.0f\t%.4f\t\t\n", k.Provider, k.Kind, k.Calls, k.Tweets, k.Credits, k.Cost)
	}
	_ = w.Flush()

	fmt.Fprintf(out, "\n%d tweets tracked; %d of them from within half an hour of their post until they went cold", c.Tracked, c.Whole)
	if c.Whole > 0 {
		fmt.Fprintf(out, ", with %.1f looks each", c.PerTweet)
	}
	fmt.Fprintln(out)
	if c.WholeDays > 0 {
		fmt.Fprintf(out, "%.4f dollars a day, on average of %d whole days; that is %.2f a month of %d days\n", c.PerDay, c.WholeDays, c.PerDay*daysAMonth, daysAMonth)
	} else {
		fmt.Fprintln(out, "no whole day (UTC) between the first spending and today yet: what a day costs is not known")
	}
	fmt.Fprintf(out, "%.2f dollars by the end of this month (UTC), if the days go on as those of the last week\n", c.MonthEnd)
	budgets.PrintSpent(out, c.spent)
	for _, b := range c.reconciled {
		if answers.Endless(b.Left) {
			continue
		}
		fmt.Fprintf(out, "%s: %.0f credits left at %s", b.Provider, b.Left, b.To.Format(time.DateTime))
		if b.Taken > 0 {
			fmt.Fprintf(out, "; taken %.0f, in the ledger %.0f since %s (%.1f%% more taken)", b.Taken, b.Booked, b.From.Format(time.DateTime), b.Drift()*100)
		}
		fmt.Fprintln(out)
	}
	budgets.PrintPurchases(out, c.purchases, c.MostLooks)
	if p := c.Projected; p != nil {
		by := "by the schedule"
		if p.Measured {
			by = fmt.Sprintf("as measured over %d tweets", c.Whole)
		}
		on := ""
		if p.DaysPerTweet > 0 {
			on = fmt.Sprintf(" on %.2f days, which are paid for", p.DaysPerTweet)
		}
		fmt.Fprintf(out, "%d new tweets a day, %.1f looks each%s (%s): %.0f calls a day (%.2f a second), %.2f dollars a day, %.2f a month\n",
			p.TweetsPerDay, p.LooksPerTweet, on, by, p.CallsPerDay, p.CallsPerSec, p.DollarsPerDay, p.DollarsAMonth)
	}
}
