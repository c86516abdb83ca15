package twitter

import (
	"slices"
	"time"

	"gorgone/engagement"
)

// page collects what one call says about the ids it asked for. Each id has one
// outcome from the start, so none can be lost or be in two lists.
type page struct {
	ids      []string
	index    map[string]int
	outcomes []outcome
	returned int     // elements in the answer, asked for or not
	strays   int     // of these, not asked for
	reads    []int64 // ids of elements that are charged for once a day
	embedded []Embedded
}

// outcome is what is known of one id. The zero value: not mentioned.
type outcome struct {
	state   state
	metrics engagement.Metrics
	created time.Time
	reason  string
	err     error

	unreadable []engagement.Counter // see [Found]
}

// better reports whether o is worth more than another outcome of the same tweet: it is from
// a better source, or the other copy lacks counts that o has.
func (o outcome) better(than outcome) bool {
	if o.state != than.state {
		return o.state > than.state
	}
	return o.state >= edited && o.err == nil && (than.err != nil || len(o.unreadable) < len(than.unreadable))
}

type state uint8

const (
	unmentioned state = iota
	explained         // left out with a reason
	edited            // answered by a later version of the tweet
	answered          // answered by an element of its own
)

func newPage(ids []string) *page {
	p := &page{ids: ids, index: make(map[string]int, len(ids)), outcomes: make([]outcome, len(ids))}
	for i, id := range ids {
		p.index[id] = i
	}
	return p
}

// reset forgets everything read so far.
func (p *page) reset() {
	clear(p.outcomes)
	p.returned, p.strays, p.reads, p.embedded = 0, 0, nil, nil
}

// set records an outcome for an id, unless the id was not asked for or as much is known
// of it. id may alias a buffer.
func (p *page) set(id []byte, o outcome) {
	i, asked := p.index[string(id)]
	if asked && o.better(p.outcomes[i]) {
		p.outcomes[i] = o
	}
}

// inside reads a tweet that is embedded in an element. Those that were asked for have an
// element of their own.
func (p *page) inside(r *reader) error {
	e, ok, err := r.embedded()
	if ok && !p.has([]byte(e.ID)) {
		p.embedded = append(p.embedded, e)
	}
	return err
}

// has reports whether the id was asked for. id may alias a buffer.
func (p *page) has(id []byte) bool {
	_, asked := p.index[string(id)]
	return asked
}

// addTo sorts the outcomes into the lists of an answer.
func (p *page) addTo(a *Answer, at time.Time) {
	a.Strays += p.strays
	for _, id := range p.reads {
		a.Reads = append(a.Reads, Read{TweetID: id, At: at})
	}
	a.Found = slices.Grow(a.Found, len(p.ids)) // as a rule, all are found
	for _, e := range p.embedded {
		e.At, e.Call = at, a.Calls
		a.Embedded = append(a.Embedded, e)
	}
	for i, o := range p.outcomes {
		id := p.ids[i]
		switch {
		case o.err != nil:
			a.Unresolved = append(a.Unresolved, Unresolved{ID: id, Err: o.err})
		case o.state == answered || o.state == edited:
			a.Found = append(a.Found, Found{ID: id, Metrics: o.metrics, Unreadable: o.unreadable, CreatedAt: o.created, At: at, Call: a.Calls})
		default:
			a.Missing = append(a.Missing, Missing{ID: id, Reason: o.reason, At: at, Call: a.Calls})
		}
	}
}

// unreadable counts the counters that cannot be read, by counter.
func (p *page) unreadable() (n [engagement.NumCounters]int) {
	for i := range p.outcomes {
		for _, c := range p.outcomes[i].unreadable {
			n[c]++
		}
	}
	return n
}
