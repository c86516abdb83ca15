package drill

import "fmt"

// checkDue checks that every tweet that was due was looked at and none is stuck:
// due, and nobody works on it. It does not trust the schedule in the rows alone: a
// tweet that is there must have been seen within one interval before the end of
// the faults, or later.
func checkDue(f *facts) verdict {
	v := verdict{name: "due"}
	end := f.engine(f.to)
	oldest := f.engine(f.to.Add(-f.Every))
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
		case r.observed.Before(oldest) && len(f.absences[r.tweet]) == 0:
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

const clockTime = "15:04:05.000"
