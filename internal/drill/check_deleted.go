package drill

import (
	"fmt"
	"time"
)

// goneWithin is how long after it was deleted, or after the backlog of the faults
// was worked off, a tweet must be known to be: its next look, three misses at least two minutes (of
// engine time) apart and twice that, and the back-offs after answers that proved
// nothing.
func goneWithin(every time.Duration) time.Duration {
	return 2*every + (2+4)*time.Minute/speed + 90*time.Second
}

// checkDeleted checks that no tweet counts as deleted that the provider has not
// deleted, and that deleted ones are found out in time.
func checkDeleted(f *facts) verdict {
	v := verdict{name: "deleted"}
	var found, pending, restored int
	for _, r := range f.rows {
		list := f.absences[r.tweet]
		if r.gone != "" && len(list) == 0 {
			v.fault("row %s of tweet %s counts as gone (%s), and was never deleted", r.id, r.tweet, r.gone)
			continue
		}
		if len(list) == 0 {
			continue
		}
		last := list[len(list)-1]
		since := last.from
		if f.caughtUp.After(since) {
			since = f.caughtUp
		}
		switch {
		case !last.to.IsZero() && r.gone != "":
			v.fault("row %s of tweet %s counts as gone (%s), and is back since %s", r.id, r.tweet, r.gone, last.to.Format(clockTime))
		case !last.to.IsZero():
			restored++
		case r.gone != "":
			found++
		case !f.caughtUp.IsZero() && f.settled.Sub(since) > goneWithin(f.Every):
			v.fault("row %s of tweet %s is deleted since %s and not known to be", r.id, r.tweet, last.from.Format(clockTime))
		default:
			pending++
		}
	}
	v.counts = fmt.Sprintf("%d rows of %d deleted tweets found out, %d not yet but in time, %d of restored ones alive (%d tweets were known gone before), none wrongly gone", found, len(f.absences), pending, restored, len(f.revived))
	return v
}
