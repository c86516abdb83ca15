package drill

import (
	"fmt"
	"net/http"
	"time"

	"gorgone/twitter/twittertest"
)

const (
	// inFlight is how long before a fault an answer may have come that was not
	// written yet: a call's time, and the write's.
	inFlight = callTimeout + time.Second

	// maxOverhead is the share of look-ups that may be paid for and not used, and
	// maxWaste the share for which the drill knows of no fault.
	maxOverhead = 0.02
	maxWaste    = 0.005

	// creditsPerTweet is what the double charges.
	creditsPerTweet = 15

	// longRun is from what time of faults on the overhead is held to its limit.
	longRun = 5 * time.Minute
)

// bill is what became of the tweets that were paid for.
type bill struct {
	billed   int // tweets returned
	needed   int // written
	undone   int // by the provider's own faults: billed, and not sent whole or not true
	inFlight int // paid for when something was killed, frozen or cut
	controls int // asked for to see whether an answer about tweets in doubt can be believed
	asked    int // seen less than a minute after the last point because of a refresh
	wasted   int // none of these
}

// checkBilled checks that no more look-ups were paid for than needed, and those
// that were under way when something was killed.
func checkBilled(f *facts) verdict {
	v := verdict{name: "billed"}
	var b bill
	wasted := make(map[string]int)
	refreshed := make(map[string][]*refresh)
	doubted, controlled := f.doubted(), make(map[int64]bool)
	for _, r := range f.refreshes {
		refreshed[r.tweet] = append(refreshed[r.tweet], r)
	}
	for tweet, list := range f.looks().byTweet {
		for i, l := range list {
			b.billed++
			switch c := l.call; {
			case l.written:
				b.needed++
			case lost(c.Fault) || c.Fault == twittertest.ZeroedCounts || suspect(c):
				b.undone++
			case f.disturbed(c):
				b.inFlight++
			case underRefresh(refreshed[tweet], c):
				b.asked++
			case !controlled[c.Seq] && isControl(c, tweet, doubted, refreshed):
				controlled[c.Seq] = true // one a call
				b.controls++
			default:
				b.wasted++
				wasted[fmt.Sprintf("%s (%s, %s)", c.Remote, c.Started.Format("15:04:05"), nearby(list, i))]++
			}
		}
	}
	overhead := float64(b.inFlight+b.wasted) / float64(max(b.needed+b.asked, 1))
	// In a short run there are few look-ups for each fault.
	if overhead > maxOverhead && f.Duration >= longRun {
		v.fault("the overhead is more than %.0f%%", 100*maxOverhead)
	}
	if float64(b.wasted) > maxWaste*float64(b.needed) {
		v.fault("%d look-ups were paid for and not used, and no fault explains it", b.wasted)
		for what, n := range wasted {
			v.fault("%d by %s", n, what)
		}
	}
	// What a worker that was killed had paid for is not in it. An answer without a
	// tweet is billed as one.
	charged := 0.0
	for i := range f.calls {
		charged += float64(f.calls[i].Billed) / creditsPerTweet
	}
	if f.ledger > charged+0.5 {
		v.fault("the ledger has %.0f tweets, and the provider charged for %.0f", f.ledger, charged)
	}
	v.counts = fmt.Sprintf("%d tweets billed (%.0f in the ledger): %d needed, %d by refresh within a minute, %d as control, %d in flight at faults, %d spoilt by the provider, %d for no reason; overhead %.2f%%",
		b.billed, f.ledger, b.needed, b.asked, b.controls, b.inFlight, b.undone, b.wasted, 100*overhead)
	return v
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

// isControl reports whether the tweet can have been asked for as control: together
// with another that was in doubt by then, or that a refresh asked for.
func isControl(c *twittertest.Record, tweet string, doubted map[string]time.Time, refreshed map[string][]*refresh) bool {
	for _, id := range c.IDs {
		if id == tweet {
			continue
		}
		if at, ok := doubted[id]; ok && !at.After(c.Started) || underRefresh(refreshed[id], c) {
			return true
		}
	}
	return false
}

// suspect reports whether the answer lacked so much that it can not be believed.
func suspect(c *twittertest.Record) bool {
	return c.Status == http.StatusOK && c.Returned == 0
}

// disturbed reports whether something happened to the caller while the answer was
// on its way into the database.
func (f *facts) disturbed(c *twittertest.Record) bool {
	for _, e := range f.events {
		if e.about(c.Remote) && e.touches(c.Started, c.Started.Add(inFlight)) {
			return true
		}
	}
	return false
}

// underRefresh reports whether somebody asked for the tweet at the time of the call.
func underRefresh(list []*refresh, c *twittertest.Record) bool {
	for _, r := range list {
		if !c.Started.Before(r.asked.Add(-inFlight)) && !c.Started.After(r.answered.Add(inFlight)) {
			return true
		}
	}
	return false
}

// nearby says how long before a look the last one was that is in the history.
func nearby(list []*look, i int) string {
	for j := i - 1; j >= 0; j-- {
		if list[j].written {
			return fmt.Sprintf("%s after another", list[i].call.Started.Sub(list[j].call.Started).Round(time.Second))
		}
	}
	return "the first"
}
