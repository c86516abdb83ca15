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
	charged float64 // by the provider's own meter
	known   float64 // of answers that came whole, with nothing to disturb their way, so that they must be in the ledger
	most    float64 // what the ledger may have at most
	lost    float64 // of charged: of no answer that came whole
	days    int     // UTC days on which calls were answered
}

// checkLedger holds the engine's ledger against what the provider says it charged for.
func checkLedger(f *facts) checkResult {
	v := checkResult{name: "ledger"}
	m := f.metered()
	if f.ledger > m.most+0.5 {
		v.fault("the ledger has %.0f tweets, and the provider charged for %.0f, at most %.0f by any clock", f.ledger, m.charged, m.most)
	}
	if f.ledger < m.known-0.5 {
		v.fault("the ledger has %.0f tweets, and %.0f were in answers that came whole, with nothing to disturb their way", f.ledger, m.known)
	}
	apart := math.Abs(f.ledger-m.charged) / max(m.charged, 1)
	unknown := m.lost / max(m.charged, 1)
	if apart > maxApart+unknown+0.5/max(m.charged, 1) {
		v.fault("the ledger has %.0f tweets, and the provider charged for %.0f: that is %.2f%%, of which answers that were lost explain %.2f%%", f.ledger, m.charged, 100*apart, 100*unknown)
	}
	v.counts = fmt.Sprintf("%s charged for %.0f tweets (UTC days: %d), the ledger has %.0f: %.2f%% apart; %.0f charged for in answers that were lost or disturbed",
		f.Provider, m.charged, m.days, f.ledger, 100*apart, m.lost)
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
	dayPass := f.billing().DayPass
	known, certain, most := make(map[pass]bool), make(map[pass]bool), make(map[pass]bool)
	days := make(map[time.Time]bool)
	for i := range f.calls {
		c := &f.calls[i]
		tweets := float64(c.Billed) / creditsPerTweet
		m.charged += tweets
		whole := c.Status == http.StatusOK && !lost(c.Fault) && !f.disturbed(c)
		if c.Returned > 0 {
			days[utcDay(c.At)] = true
		}
		if !dayPass {
			if whole {
				m.known += tweets
			}
			continue
		}
		from, to := utcDay(c.At.Add(-dayDoubt)), utcDay(c.At.Add(dayDoubt))
		for _, tweet := range returned(c) {
			most[pass{from, c.Key, tweet}], most[pass{to, c.Key, tweet}] = true, true
			if whole {
				known[pass{utcDay(c.At), c.Key, tweet}] = true
			}
			if whole && from.Equal(to) {
				certain[pass{from, c.Key, tweet}] = true
			}
		}
	}
	m.days, m.most = len(days), m.charged
	m.lost = m.charged - m.known
	if dayPass {
		m.known, m.most, m.lost = float64(len(certain)), float64(len(most)), m.charged-float64(len(known))
	}
	return m
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
