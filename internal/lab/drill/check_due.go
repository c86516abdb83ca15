package drill

import (
	"fmt"
	"slices"
	"time"

	"gorgone/twitter/fakeprovider"
)

// checkDue checks that every tweet that was due was looked at and none is stuck:
// due, and no process works on it. It does not trust the schedule in the rows alone: a
// tweet that is there must have been seen within one interval before the end of
// the faults, or later.
func checkDue(f *facts) checkResult {
	v := checkResult{name: "due"}
	end := f.engine(f.to)
	var live, backing, gone int
	for _, r := range f.rows {
		switch {
		case r.gone != "":
			gone++
			continue
		case r.due.IsZero():
			v.fault("row %s of tweet %s is not looked at any more (%s), and not gone", r.id, r.tweet, r.tier)
			continue
		case r.attempts > 0 && r.retryAt.After(end):
			backing++
			continue
		}
		due := r.due
		if r.retryAt.After(due) {
			due = r.retryAt
		}
		switch {
		case !due.After(end):
			v.fault("row %s of tweet %s was due at %s and is stuck (claimed until %s, %d failures)", r.id, r.tweet, f.real(due).Format(clockTime), f.real(r.claimed).Format(clockTime), r.attempts)
		case f.nextBy(r).Before(f.to) && len(f.absences[r.tweet]) == 0 && !f.excused(r):
			v.fault("row %s of tweet %s was last seen at %s, more than an interval before the end of the faults", r.id, r.tweet, f.real(r.observed).Format(clockTime))
		default:
			live++
		}
	}
	if f.batchesLeft > 0 && len(v.details) > 0 {
		v.fault("%d batches are left in the queue", f.batchesLeft)
	}
	v.counts = fmt.Sprintf("%d rows seen in time, %d back off after a failure, %d gone, %d calls", live, backing, gone, len(f.calls))
	return v
}

// nextBy returns by when a row must be due again, in real time: an interval after the answer
// was written, by a clock that may since have been set back a little.
func (f *facts) nextBy(r *row) time.Time {
	seen := f.real(r.observed)
	if kept := f.writtenBy(seen.Add(inFlight)); kept.After(seen.Add(inFlight)) {
		seen = kept
	}
	return seen.Add(f.Every + smallStep)
}

// excused reports whether a tweet need not have been seen within the last interval: the
// provider was asked for it and did not have it, or it was last seen when a budget made
// look-ups fewer.
func (f *facts) excused(r *row) bool {
	for _, b := range f.budgets {
		if at := f.real(r.observed); at.After(b.from.Add(-inFlight)) && at.Before(b.to.Add(inFlight)) {
			return true
		}
	}
	if len(f.struck(r.tweet, outage, lag, poison)) == 0 {
		return false
	}
	return slices.ContainsFunc(f.calls, func(c fakeprovider.Record) bool {
		return !c.Started.Before(f.to.Add(-f.Every)) && slices.Contains(c.IDs, r.tweet)
	})
}

const clockTime = "15:04:05.000"
