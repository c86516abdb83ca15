package drill

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"gorgone/twitter/fakeprovider"
)

// checkRefreshes checks that every refresh got exactly one final answer, and that
// the answer is true: the provider's counts, or a reason that existed.
func checkRefreshes(f *facts) checkResult {
	v := checkResult{name: "refreshes"}
	byStatus := make(map[int]int)
	for _, r := range f.refreshes {
		byStatus[r.status]++
		name := fmt.Sprintf("refresh of tweet %s (row %s, asked at %s, answered at %s with %d %s %q)",
			r.tweet, r.row, r.asked.Format(clockTime), r.answered.Format(clockTime), r.status, r.body.Code, r.body.Error)
		switch {
		case r.err != nil:
			v.fault("%s: %v", name, r.err)
		case r.status == http.StatusAccepted:
			v.fault("%s has no final answer", name)
		case r.again != 0 && r.again != r.status:
			v.fault("%s: asked again it is %d", name, r.again)
		default:
			if why := f.untrue(r); why != "" {
				v.fault("%s: %s", name, why)
			}
		}
	}
	open := 0
	for _, r := range f.requests {
		if !r.closed && f.real(r.deadline).After(time.Now()) {
			open++
		}
	}
	if open > 0 {
		v.fault("%d refreshes are still open in the database", open)
	}
	if f.refreshesLeft > 0 {
		v.fault("%d refreshes are left in the queue", f.refreshesLeft)
	}
	var parts []string
	for _, status := range slices.SortedFunc(maps.Keys(byStatus), cmp.Compare[int]) {
		parts = append(parts, fmt.Sprintf("%d x %d", byStatus[status], status))
	}
	v.counts = fmt.Sprintf("%d asked, each with one final answer (%s)", len(f.refreshes), strings.Join(parts, ", "))
	return v
}

// untrue returns what is wrong with an answer, or "".
func (f *facts) untrue(r *refresh) string {
	// A fault of a while ago is felt still: one that waits for the next call finds it
	// only when the circuit breaker has rested, and then that rests again.
	const before = 2 * time.Minute
	during := func(match func(e event) bool) bool {
		return slices.ContainsFunc(f.events, func(e event) bool { return e.touches(r.asked.Add(-before), r.answered) && match(e) })
	}
	ofProvider := func(faults ...fakeprovider.Fault) func(event) bool {
		return func(e event) bool { return e.kind == fault && slices.Contains(faults, fakeprovider.Fault(e.what)) }
	}
	unavailable := func(e event) bool {
		return e.ofDatabase() || e.kind == kill || e.kind == freeze || e.kind == wipe || e.kind == budget ||
			e.kind == isolate || e.kind == diskFull || e.link == partPostgres || e.link == partNATS
	}
	if r.overBudget() {
		if !f.mayExceed(r) {
			return "the budget was not used up"
		}
		return ""
	}
	switch r.status {
	case http.StatusOK:
		return f.untrueCounts(r)
	case http.StatusGone:
		if !f.wasAbsent(r) {
			return "the provider had the tweet"
		}
	case http.StatusPaymentRequired:
		if !during(func(e event) bool {
			return e.kind == broke || ofProvider(fakeprovider.OutOfCredit, fakeprovider.UsageCapped, fakeprovider.CreditText)(e)
		}) {
			return "the account had credit"
		}
	case http.StatusTooManyRequests:
		if !during(ofProvider(fakeprovider.RateLimited, fakeprovider.UsageCapped)) {
			return "the provider limited nothing"
		}
	case http.StatusBadGateway:
		if !during(func(e event) bool {
			return e.ofProvider() || e.link == partProvider
		}) {
			return "the provider had no fault"
		}
	case http.StatusServiceUnavailable:
		if r.body.Code == codeMissing {
			if !f.leftOut(r) {
				return "no answer lacked the tweet"
			}
			break
		}
		if !during(func(e event) bool { return unavailable(e) || e.ofProvider() }) {
			return "nothing was unavailable"
		}
	case http.StatusGatewayTimeout:
		if !during(func(event) bool { return true }) {
			return "nothing was in the way"
		}
	case http.StatusConflict:
		return "the tweet is tracked"
	default:
		return "no such answer is right"
	}
	return ""
}

// untrueCounts returns what is wrong with an answer that has counts.
func (f *facts) untrueCounts(r *refresh) string {
	d := r.body.Data
	if d == nil || d.Metrics.Likes == nil || d.Metrics.Retweets == nil {
		return "it has no counts"
	}
	list := f.observations().byTweet[r.tweet]
	for _, l := range list {
		truth, _ := f.truth(r.tweet, l.call.At)
		likes := *d.Metrics.Likes == truth[likeCount] || unreadable(l.call.Fault) == likeCount
		// It may have joined a look-up that was under way, which it is until it is written.
		if !l.call.Started.After(r.answered) && !f.writtenBy(l.call.Started.Add(inFlight)).Before(r.asked.Add(-clockSlack)) && likes && *d.Metrics.Retweets == truth[0] {
			return ""
		}
	}
	return fmt.Sprintf("%d likes and %d retweets were in none of %d answers of the provider since it was asked for", *d.Metrics.Likes, *d.Metrics.Retweets, len(list))
}

// wasAbsent reports whether the tweet was deleted while the refresh was under way, or
// had been deleted before and was still left out of an answer then.
func (f *facts) wasAbsent(r *refresh) bool {
	for _, a := range f.absences[r.tweet] {
		if !a.from.After(r.answered) && (a.to.IsZero() || !a.to.Before(r.asked) || f.leftOut(r)) {
			return true
		}
	}
	return false
}

// leftOut reports whether an answer lacked the tweet while the refresh was under way.
func (f *facts) leftOut(r *refresh) bool {
	return slices.ContainsFunc(f.calls, func(c fakeprovider.Record) bool {
		return c.Status == http.StatusOK && !c.Started.Before(r.asked.Add(-finalAnswer)) && !c.Started.After(r.answered) && slices.Contains(c.Absent, r.tweet)
	})
}
