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
	returned int // elements in the answer, asked for or not
}

// outcome is what is known of one id. The zero value: not mentioned.
type outcome struct {
	state   state
	metrics engagement.Metrics
	created time.Time
	reason  string
	err     error
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
	p.returned = 0
}

// set records an outcome for an id, unless the id was not asked for or is known
// from an equal or better source. id may alias a buffer.
func (p *page) set(id []byte, o outcome) {
	i, asked := p.index[string(id)]
	if asked && o.state > p.outcomes[i].state {
		p.outcomes[i] = o
	}
}

// addTo sorts the outcomes into the lists of an answer.
func (p *page) addTo(a *Answer, at time.Time) {
	a.Found = slices.Grow(a.Found, len(p.ids)) // as a rule, all are found
	for i, o := range p.outcomes {
		id := p.ids[i]
		switch {
		case o.err != nil:
			a.Unresolved = append(a.Unresolved, Unresolved{ID: id, Err: o.err})
		case o.state == answered || o.state == edited:
			a.Found = append(a.Found, Found{ID: id, Metrics: o.metrics, CreatedAt: o.created, At: at, Call: a.Calls})
		default:
			a.Missing = append(a.Missing, Missing{ID: id, Reason: o.reason, At: at, Call: a.Calls})
		}
	}
}
