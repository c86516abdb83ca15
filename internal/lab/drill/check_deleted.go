package drill

import (
	"fmt"
	"time"
)

// goneSpan is how long a tweet must be missing to count as deleted, in engine time: longer
// than any fault of the provider lasts that leaves out fewer than one tweet in 20.
const goneSpan = 5 * time.Minute

// goneSpans is how many spans the misses of a tweet must cover: two if it was never looked up,
// and seven times as many when deletions may have been held, because ten tweets or more, and
// more than one in 25, were deleted.
func (o Options) goneSpans(missing int, unseen bool) time.Duration {
	spans := time.Duration(1)
	if unseen {
		spans = 2
	}
	if missing >= 10 && 25*missing > o.Tweets {
		spans *= 7
	}
	return spans
}

// goneAnswers is how many answers lack a tweet until it is known to be deleted: misses count
// when they are two minutes apart.
func (o Options) goneAnswers(spans time.Duration) int { return int(spans*goneSpan/(2*time.Minute)) + 2 }

// goneWithin is how long after it was deleted, or after the backlog of the faults was worked
// off, a tweet must be known to be: its next look-up, the spans of its misses, each looked up
// as late as others may be then, a wait of half a span, and the back-offs after answers that
// proved nothing.
func (o Options) goneWithin(spans time.Duration) time.Duration {
	return o.Every + (spans*goneSpan+goneSpan/2)/speed + time.Duration(o.goneAnswers(spans))*caughtUp + backOffs
}

const (
	// backOffs is how long a deleted tweet may back off after answers that proved nothing: twice
	// the longest that the engine documents. And unproven is how many such answers there may be.
	backOffs = 2 * time.Hour / speed
	unproven = 4
)

// checkDeleted checks that no tweet counts as deleted that the provider has not
// deleted, and that deleted ones are found out in time.
func checkDeleted(f *facts) checkResult {
	v := checkResult{name: "deleted"}
	all := len(f.absences)
	lacking := f.lacking()
	var found, pending, restored int
	var longest time.Duration
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
		spans := f.goneSpans(all, len(r.lookups) == 0)
		since, until := f.goneSince(last), f.until(r)
		took := until.Sub(since)
		answers := 0
		for _, at := range lacking[r.tweet] {
			if at.After(since) && at.Before(until) {
				answers++
			}
		}
		switch {
		case !last.to.IsZero() && r.gone != "":
			v.fault("row %s of tweet %s counts as gone (%s), and is back since %s", r.id, r.tweet, r.gone, last.to.Format(clockTime))
		case !last.to.IsZero():
			restored++
		case took > f.goneWithin(spans):
			v.fault("row %s of tweet %s is deleted since %s and was not known to be %s after its time began", r.id, r.tweet, last.from.Format(clockTime), took.Round(time.Second))
		case answers > f.goneAnswers(spans)+unproven:
			v.fault("row %s of tweet %s is deleted since %s and was not known to be after %d answers without it", r.id, r.tweet, last.from.Format(clockTime), answers)
		case r.gone != "":
			longest = max(longest, took)
			found++
		default:
			pending++
		}
	}
	v.counts = fmt.Sprintf("%d rows of %d deleted tweets found out, within %s (bound %s), %d not yet, %d of restored ones alive (%d tweets were known gone before), none wrongly gone",
		found, len(f.absences), longest.Round(time.Second), f.goneWithin(f.goneSpans(all, false)), pending, restored, len(f.revived))
	return v
}

// lacking returns when answers lacked each tweet that was deleted.
func (f *facts) lacking() map[string][]time.Time {
	times := make(map[string][]time.Time)
	for i := range f.calls {
		for _, id := range f.calls[i].Absent {
			if f.absences[id] != nil {
				times[id] = append(times[id], f.calls[i].Started)
			}
		}
	}
	return times
}

// goneSince is when the time began within which a tweet must be known to be deleted: when
// that was so, when the backlog of the faults was worked off, and when tweets that an outage
// had left out were all looked up again, and counted, so that they hold no deletion any more.
func (f *facts) goneSince(a absence) time.Time {
	since := f.to.Add(f.Settle)
	if !f.caughtUp.IsZero() {
		since = f.caughtUp
	}
	if a.from.After(since) {
		since = a.from
	}
	for _, e := range f.events {
		if seen := e.to.Add(f.Every + countedEvery); e.kind == outage && seen.After(since) {
			since = seen
		}
	}
	return since
}

// countedEvery is how often it is counted how many tweets are missing.
const countedEvery = 5 * time.Minute / speed

// until is when a tweet was called gone; when the drill ended, if it was not.
func (f *facts) until(r *row) time.Time {
	if r.gone == "" {
		return f.settled
	}
	return f.real(r.goneAt)
}
