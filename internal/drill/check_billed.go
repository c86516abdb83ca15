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
	maxWaste    = 0.002
)

// bill is what became of the tweets that were paid for.
type bill struct {
	billed   int // tweets returned
	needed   int // written
	undone   int // by the provider's own faults: billed, and not sent whole or not true
	inFlight int // paid for when something was killed, frozen or cut
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
			default:
				b.wasted++
				wasted[fmt.Sprintf("%s (%s, %s)", c.Remote, c.Started.Format("15:04:05"), nearby(list, i))]++
			}
		}
	}
	overhead := float64(b.inFlight+b.wasted) / float64(max(b.needed+b.asked, 1))
	if overhead > maxOverhead {
		v.fault("the overhead is more than %.0f%%", 100*maxOverhead)
	}
	if float64(b.wasted) > maxWaste*float64(b.needed) {
		v.fault("%d look-ups were paid for and not used, and no fault explains it", b.wasted)
		for what, n := range wasted {
			v.fault("%d by %s", n, what)
		}
	}
	v.counts = fmt.Sprintf("%d tweets billed: %d needed, %d by refresh within a minute, %d in flight at faults, %d spoilt by the provider, %d for no reason; overhead %.2f%%",
		b.billed, b.needed, b.asked, b.inFlight, b.undone, b.wasted, 100*overhead)
	return v
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
