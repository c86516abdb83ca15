package drill

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"gorgone/twitter/fakeprovider"
)

// maxApart is the share of what the provider charged for by which the ledger may differ from it
// beyond what no one can know.
const maxApart = 0.01

// creditsPerTweet is what the fake provider charges.
const creditsPerTweet = 15

// metered is what the provider charged for, in tweets, and what of it the engine can know.
type metered struct {
	charged  float64 // by the provider's own meter
	readable float64 // of it, in answers that the provider sent whole
	known    float64 // of these, with nothing to disturb their way
	least    float64 // what the ledger must have: known, unless it is in doubt on which day
	most     float64 // and what it may have
	days     int     // UTC days on which calls were answered
}

// checkLedger holds the engine's ledger against what the provider says it charged for.
func checkLedger(f *facts) checkResult {
	v := checkResult{name: "ledger"}
	m := f.metered()
	if f.ledger > m.most+0.5 {
		v.fault("the ledger has %.0f tweets, and the provider charged for %.0f, at most %.0f by any clock", f.ledger, m.charged, m.most)
	}
	if f.ledger < m.least-0.5 {
		v.fault("the ledger has %.0f tweets, and %.0f were in answers that came whole, with nothing to disturb their way", f.ledger, m.least)
	}
	apart, disturbed := math.Abs(f.ledger-m.readable)/max(m.readable, 1), (m.readable-m.known)/max(m.readable, 1)
	if apart > maxApart+disturbed+0.5/max(m.readable, 1) {
		v.fault("the ledger has %.0f tweets, and answers that were sent whole %.0f: that is %.2f%% apart, of which what disturbed them explains %.2f%%", f.ledger, m.readable, 100*apart, 100*disturbed)
	}
	v.counts = fmt.Sprintf("%s charged for %.0f tweets (UTC days: %d), %.0f of them in answers that it did not send whole; the ledger has %.0f: %.2f%% apart from the others, of which %.2f%% were disturbed on their way",
		f.Provider, m.charged, m.days, m.charged-m.readable, f.ledger, 100*apart, 100*disturbed)
	return v
}

// metered reads the provider's log. What it charged for is in it; for what the engine can know,
// a tweet that is charged for once a day is known when any of the day's answers with it came
// whole, whichever was charged for.
func (f *facts) metered() (m metered) {
	type pass struct {
		day   time.Time
		key   string
		tweet string
	}
	readable, known, least, most := make(map[pass]bool), make(map[pass]bool), make(map[pass]bool), make(map[pass]bool)
	days := make(map[time.Time]bool)
	for i := range f.calls {
		c := &f.calls[i]
		tweets := float64(c.Billed) / creditsPerTweet
		m.charged += tweets
		sent := c.Status == http.StatusOK && !lost(c.Fault)
		came := sent && !f.disturbed(c)
		if c.Returned > 0 {
			days[utcDay(c.At)] = true
		}
		if sent {
			m.readable += tweets
		}
		if came {
			m.known += tweets
		}
		from, to := utcDay(c.At.Add(-dayDoubt)), utcDay(c.At.Add(dayDoubt))
		for _, tweet := range returned(c) {
			on := pass{utcDay(c.At), c.Key, tweet}
			most[pass{from, c.Key, tweet}], most[pass{to, c.Key, tweet}] = true, true
			readable[on] = readable[on] || sent
			known[on] = known[on] || came
			least[on] = least[on] || came && from.Equal(to)
		}
	}
	m.days, m.least, m.most = len(days), m.known, m.charged
	if f.billing().DayPass {
		m.readable, m.known, m.least, m.most = count(readable), count(known), count(least), float64(len(most))
	}
	return m
}

// count counts those of a set that are true.
func count[K comparable](set map[K]bool) (n float64) {
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}

// dayDoubt is how long before or after midnight, in engine time, a call may be of the other day
// by the engine: a worker notes the time before it calls, by a clock that may be off.
const dayDoubt = (callTimeout + smallStep + clockSlack) * speed

func utcDay(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// returned are the tweets in the answer to a call, which may not have come through.
func returned(c *fakeprovider.Record) (tweets []string) {
	if c.Returned == 0 {
		return nil
	}
	absent := make(map[string]bool, len(c.Absent))
	for _, id := range c.Absent {
		absent[id] = true
	}
	for _, id := range c.IDs {
		if !absent[id] {
			tweets = append(tweets, id)
		}
	}
	return tweets
}
