package drill

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"gorgone/twitter/fakeprovider"
)

const (
	// inFlight is how long before a fault an answer may have come that was not
	// written yet: a call's time, and the write's.
	inFlight = callTimeout + time.Second

	// maxOverhead is the share of look-ups that may be paid for and not used, and
	// maxWaste the share for which the drill knows of no fault.
	maxOverhead = 0.02
	maxWaste    = 0.005

	// longRun is from what time of faults on the overhead is held to its limit.
	longRun = 5 * time.Minute
)

// bill is what became of the tweets that were paid for.
type bill struct {
	billed   int // tweets returned
	needed   int // written
	undone   int // by the provider's own faults: billed, and not sent whole or not true
	inFlight int // paid for when something was killed, frozen or cut
	controls int // asked for to see whether an answer, or the provider after failures, can be believed
	older    int // about tweets of which a newer answer was written first, while the database took nothing
	asked    int // seen less than a minute after the last point because of a refresh
	wasted   int // none of these

	unused []string // those that are none of these, a line each
}

// checkBilled checks that no more look-ups were paid for than needed, and those
// that were under way when something was killed.
func checkBilled(f *facts) checkResult {
	v := checkResult{name: "billed"}
	b := f.bill()
	overhead := float64(b.inFlight+b.wasted) / float64(max(b.needed+b.asked, 1))
	// In a short run there are few look-ups for each fault.
	if overhead > maxOverhead && f.Duration >= longRun {
		v.fault("the overhead is more than %.0f%%", 100*maxOverhead)
	}
	if float64(b.wasted) > maxWaste*float64(b.needed) || b.wasted > 0 && f.everydayOnly() {
		v.fault("%d look-ups were paid for and not used, and no fault explains it", b.wasted)
		v.details = append(v.details, b.unused...)
	}
	v.counts = fmt.Sprintf("%d tweets returned: %d needed, %d by refresh within a minute, %d as canary or trial, %d in flight at faults, %d spoilt by the provider, %d older than what was written first, %d for no reason; overhead %.2f%%",
		b.billed, b.needed, b.asked, b.controls, b.inFlight, b.undone, b.older, b.wasted, 100*overhead)
	return v
}

// bill tells what became of each tweet that was paid for.
func (f *facts) bill() (b bill) {
	doubted, controlled := f.doubted(), make(map[int64]bool)
	for tweet, list := range f.observations().byTweet {
		for i, l := range list {
			b.billed++
			switch c := l.call; {
			case l.written:
				b.needed++
			case spoilt(c):
				b.undone++
			case f.disturbed(c):
				b.inFlight++
			case underRefresh(f.refreshesOf(tweet), c):
				b.asked++
			case !controlled[c.Seq] && f.isCanary(c, tweet, doubted):
				controlled[c.Seq] = true // one a call
				b.controls++
			case f.isTrial(c):
				b.controls++
			case f.superseded(list[i:]):
				b.older++
			default:
				b.wasted++
				b.unused = append(b.unused, fmt.Sprintf("%s: %s of call %d of %d tweets, %s, of %s", c.Started.Format(clockTime), tweet, c.Seq, len(c.IDs), nearby(list, i), c.Remote))
			}
		}
	}
	slices.Sort(b.unused)
	return b
}

// writeUnused keeps which look-ups were paid for and not used, and no fault explains it.
func (f *facts) writeUnused(path string) error {
	if err := os.WriteFile(path, []byte(strings.Join(append(f.bill().unused, ""), "\n")), 0o600); err != nil {
		return fmt.Errorf("keep what was not used: %w", err)
	}
	return nil
}

// doubted returns when each tweet was first left out of an answer.
func (f *facts) doubted() map[string]time.Time {
	first := make(map[string]time.Time)
	for i := range f.calls {
		for _, id := range f.calls[i].Absent {
			if _, known := first[id]; !known {
				first[id] = f.calls[i].Started
			}
		}
	}
	return first
}

// isCanary reports whether the tweet can have been asked for as a canary: together
// with another that was in doubt by then, or that a refresh asked for.
func (f *facts) isCanary(c *fakeprovider.Record, tweet string, doubted map[string]time.Time) bool {
	for _, id := range c.IDs {
		if id == tweet {
			continue
		}
		if at, ok := doubted[id]; ok && !at.After(c.Started) || underRefresh(f.refreshesOf(id), c) {
			return true
		}
	}
	return false
}

// trialTime is how long after a failed call one of another tweet may be made to see whether the
// provider fails: after retries.
const trialTime = 15 * time.Second

// isTrial reports whether the call can have been made to see whether the provider fails: for
// one tweet, after a call that failed.
func (f *facts) isTrial(c *fakeprovider.Record) bool {
	if len(c.IDs) != 1 {
		return false
	}
	return slices.ContainsFunc(f.calls, func(failed fakeprovider.Record) bool {
		return failed.Status != http.StatusOK && failed.Remote == c.Remote && failed.Started.Before(c.Started) && c.Started.Sub(failed.Started) < trialTime
	})
}

// superseded reports whether the first of a tweet's observations could not be written, since
// the database took nothing, until a newer one was: of a refresh, or of when the lease had ended;
// the next look-up of a tweet that was written comes an interval later.
func (f *facts) superseded(list []*observation) bool {
	first := list[0].call
	if len(list) == 1 || !f.writtenBy(first.Started.Add(inFlight)).After(first.Started.Add(inFlight)) {
		return false
	}
	since := list[1].call.Started.Sub(first.Started)
	again := since > lease-inFlight && since < max(f.Every, lease+afterOutage)-inFlight || f.forRefreshes(list[1].call)
	return again && slices.ContainsFunc(list[1:], func(o *observation) bool { return o.written })
}

// spoilt reports whether what was paid for could not be used, or not believed.
func spoilt(c *fakeprovider.Record) bool {
	switch c.Fault {
	case fakeprovider.ZeroedCounts, fakeprovider.RenamedCounts:
		return true
	default:
		return lost(c.Fault) || suspect(c)
	}
}

// suspect reports whether the answer lacked so much that it can not be believed.
func suspect(c *fakeprovider.Record) bool {
	return c.Status == http.StatusOK && c.Returned == 0
}

// disturbed reports whether something happened to the caller while the answer was
// on its way into the database.
func (f *facts) disturbed(c *fakeprovider.Record) bool {
	until := f.writtenBy(c.Started.Add(inFlight))
	for _, e := range f.events {
		if e.about(c.Remote) && e.touches(c.Started, until) {
			return true
		}
	}
	return false
}

// afterOutage is how long after it takes what is written again the database may have what
// was kept for it: clocks are read every 5 s, and failures back off.
const afterOutage = 10 * time.Second

// writtenBy returns by when an answer must be written that could be at the given time, if
// the database took all it is given: an answer is kept until it does.
func (f *facts) writtenBy(at time.Time) time.Time {
	for again := true; again; {
		again = false
		for _, e := range f.events {
			if end := e.to.Add(afterOutage); e.ofDatabase() && e.touches(at.Add(-inFlight), at) && end.After(at) {
				at, again = end, true
			}
		}
	}
	return at
}

// underRefresh reports whether the tweet was being refreshed at the time of the call.
func underRefresh(list []*refresh, c *fakeprovider.Record) bool {
	for _, r := range list {
		if !c.Started.Before(r.asked.Add(-inFlight)) && !c.Started.After(r.answered.Add(inFlight)) {
			return true
		}
	}
	return false
}

// nearby says how long before a look-up the last one was that is in the history.
func nearby(list []*observation, i int) string {
	for j := i - 1; j >= 0; j-- {
		if list[j].written {
			return fmt.Sprintf("%s after another", list[i].call.Started.Sub(list[j].call.Started).Round(time.Second))
		}
	}
	return "the first"
}
