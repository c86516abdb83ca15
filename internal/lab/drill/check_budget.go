package drill

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"gorgone/twitter/fakeprovider"
)

// checkBudget checks by the provider's log that no more was spent than the budgets allowed,
// beyond one call a worker: in all, and on refreshes. And that refreshes were refused for
// want of budget, in the times that had one.
func checkBudget(f *facts) checkResult {
	v := checkResult{name: "budget"}
	var refused int
	var parts []string
	for _, b := range f.budgets {
		paid, refreshes, largest := 0.0, 0.0, 0.0
		for i := range f.calls {
			c := &f.calls[i]
			if c.Started.Before(b.from) || c.Started.After(b.to) {
				continue
			}
			tweets := float64(c.Billed) / creditsPerTweet
			paid += tweets
			if f.forRefreshes(c) {
				refreshes += tweets
				largest = max(largest, tweets)
			}
		}
		limit := float64(b.scheduled + b.refreshes)
		if over := paid - limit; over > float64(f.Workers*idsPerCall) {
			v.fault("from %s to %s %.0f tweets were paid for with budgets of %d and %d: %.0f more, and one call of each of %d workers is allowed",
				b.from.Format(clockTime), b.to.Format(clockTime), paid, b.scheduled, b.refreshes, over, f.Workers)
		}
		if over := refreshes - float64(b.refreshes); over > float64(f.Workers)*largest {
			v.fault("from %s to %s %.0f tweets were paid for refreshes with a budget of %d: %.0f more, and one call of each of %d workers is allowed",
				b.from.Format(clockTime), b.to.Format(clockTime), refreshes, b.refreshes, over, f.Workers)
		}
		parts = append(parts, fmt.Sprintf("%.0f of %.0f", paid, limit), fmt.Sprintf("%.0f of %d", refreshes, b.refreshes))
	}
	for _, r := range f.refreshes {
		if r.overBudget() {
			refused++
		}
	}
	v.counts = fmt.Sprintf("%d times a budget, tweets paid for in all and for refreshes: %s; %d refreshes refused for it", len(f.budgets), strings.Join(parts, ", "), refused)
	return v
}

// forRefreshes reports whether the call was for refreshes: for each tweet that it asks for
// one was under way, but for a canary.
func (f *facts) forRefreshes(c *fakeprovider.Record) bool {
	others := 0
	for _, id := range c.IDs {
		if !underRefresh(f.refreshesOf(id), c) {
			others++
		}
	}
	return others == 0 || others == 1 && len(c.IDs) > 1
}

// refreshesOf returns the refreshes of a tweet.
func (f *facts) refreshesOf(tweet string) []*refresh {
	if f.refreshed == nil {
		f.refreshed = make(map[string][]*refresh)
		for _, r := range f.refreshes {
			f.refreshed[r.tweet] = append(f.refreshed[r.tweet], r)
		}
	}
	return f.refreshed[tweet]
}

// codeLimit is the code of the answer that a limit refuses a refresh, codePaused that of one
// whose call was refused.
const (
	codeLimit  = "limit"
	codePaused = "paused"
)

// overBudget reports whether the refresh was refused because of the budget, as it was told.
func (r *refresh) overBudget() bool {
	refused := r.status == http.StatusTooManyRequests && r.body.Code == codeLimit ||
		r.status == http.StatusServiceUnavailable && r.body.Code == codePaused
	return refused && strings.Contains(r.body.Error, "budget")
}

// mayExceed reports whether a refresh may have been more than a budget was good for: what
// was paid for refreshes and what those under way may cost, which is two tweets each, one of
// them a canary, leave less than another one may cost.
func (f *facts) mayExceed(r *refresh) bool {
	for _, b := range f.budgets {
		if r.answered.Before(b.from) || r.asked.After(b.to) {
			continue
		}
		used := 0.0
		for i := range f.calls {
			c := &f.calls[i]
			if c.Started.Before(b.from) || c.Started.After(r.answered) || !f.forRefreshes(c) {
				continue
			}
			paid := float64(c.Billed) / creditsPerTweet
			if lost(c.Fault) || f.disturbed(c) { // what it may have cost counts
				paid = max(paid, float64(len(c.IDs)))
			}
			used += paid
		}
		for _, other := range f.refreshes {
			if other != r && !other.overBudget() && !other.asked.After(r.answered) && !other.asked.Before(b.from.Add(-requestLife)) {
				used += 2
			}
		}
		if used+2 > float64(b.refreshes) {
			return true
		}
	}
	return false
}

// requestLife is how long a refresh may be under way.
const requestLife = time.Minute
