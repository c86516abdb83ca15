package twitter

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"gorgone/engagement"
)

// counter is one counter of an element, by whatever name the provider has for it. Those of
// [engagement.Counter] have the same numbers.
type counter int

const (
	retweets    = counter(engagement.Retweets)
	replies     = counter(engagement.Replies)
	likes       = counter(engagement.Likes)
	quotes      = counter(engagement.Quotes)
	views       = counter(engagement.Views)
	bookmarks   = counter(engagement.Bookmarks)
	reposts     = counter(engagement.NumCounters) // X's new name of retweets
	numCounters = reposts + 1
)

// counters gathers the counts of one element. Each stands for itself: what one of them
// looks like says nothing about the others.
type counters struct {
	counts     [numCounters]engagement.Count
	unreadable [numCounters]bool // given, and not a count
}

// read reads the value of a counter, which comes next.
func (c *counters) read(r *reader, which counter) error {
	v, err := r.ReadValue()
	if err != nil {
		return err
	}
	n, readable := countOf(v)
	c.counts[which], c.unreadable[which] = n, !readable
	return nil
}

// countOf reads a counter: a whole number that the database can hold, which may be written
// as text ("12"), with a fraction of zero (12.0) or with an exponent (1.2e6), or null for
// absent.
func countOf(v jsontext.Value) (c engagement.Count, readable bool) {
	if string(v) == "null" {
		return engagement.Count{}, true
	}
	if v[0] == '"' {
		v = bytes.TrimSpace(v[1 : len(v)-1])
	}
	n, ok := wholeNumber(string(v))
	if !ok || n > engagement.MaxCount {
		return engagement.Count{}, false
	}
	return engagement.Known(n), true
}

// wholeNumber reads a number without a sign of at most 2^53, if it is a whole one.
func wholeNumber(s string) (int64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	if strings.Trim(s, "0123456789.eE+-") != "" {
		return 0, false // hexadecimal, and what else ParseFloat takes
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f > mostAmount || f != float64(int64(f)) {
		return 0, false
	}
	return int64(f), true
}

// metrics returns the counts that can be used, and the counters that ought to have one and
// do not: those that were given and are not a count, and of the four that every tweet has
// those that were not given. A total that no database could hold is wrong by its largest
// count.
func (c *counters) metrics() (m engagement.Metrics, unreadable []engagement.Counter) {
	m = engagement.Metrics{
		Retweets:  c.counts[retweets].Or(c.counts[reposts]),
		Replies:   c.counts[replies],
		Likes:     c.counts[likes],
		Quotes:    c.counts[quotes],
		Views:     c.counts[views],
		Bookmarks: c.counts[bookmarks],
	}
	for m.Total() > engagement.MaxCount {
		of := []*engagement.Count{&m.Retweets, &m.Replies, &m.Likes, &m.Quotes}
		largest := of[0]
		for _, count := range of {
			if count.Value() > largest.Value() {
				largest = count
			}
		}
		*largest = engagement.Count{}
	}
	for _, which := range engagement.Counters() {
		given := c.unreadable[which] || which == engagement.Retweets && c.unreadable[reposts]
		if always := which <= engagement.Quotes; !m.Of(which).Known() && (given || always) {
			unreadable = append(unreadable, which)
		}
	}
	return m, unreadable
}

// outcome is what the element says of its tweet. It can be used when it has any count.
func (c *counters) outcome(state state, created time.Time) outcome {
	m, unreadable := c.metrics()
	if !m.Known() {
		return outcome{state: state, err: fmt.Errorf("%w: a tweet without any of its counts", ErrMalformed)}
	}
	return outcome{state: state, metrics: m, created: created, unreadable: unreadable}
}

// ofRetweet returns the outcome of a tweet that only repeats another: the retweets it shows
// are the other's, and the counters that are 0 are not kept for it at all.
func (o outcome) ofRetweet() outcome {
	m := &o.metrics
	if m.Replies.Value() != 0 || m.Likes.Value() != 0 || m.Quotes.Value() != 0 || m.Retweets.Value() == 0 {
		return o
	}
	for _, c := range []*engagement.Count{&m.Replies, &m.Likes, &m.Quotes, &m.Views, &m.Bookmarks} {
		if c.Value() == 0 {
			*c = engagement.Count{}
		}
	}
	o.unreadable = nil
	return o
}

// isRepeat reports whether a text is that of a tweet which only repeats another.
func isRepeat(text []byte) bool {
	return bytes.HasPrefix(text, []byte("RT @")) || string(text) == "RT"
}
