package worker

import (
	"math/bits"
	"slices"
)

// agenda is what is left to ask for of one piece of work. It also finds the
// tweet because of which the provider refuses a call: the call's tweets are asked
// for in halves. When one half is answered the culprit is in the other, which is
// halved again without being asked for first, so that one culprit among n costs
// at most 2*log2(n) calls on top of the first.
type agenda struct {
	groups []group
	spare  int // calls that may still be refused before all that is left fails
}

// group is a number of tweets that are asked for together.
type group struct {
	ids   []string
	tries int      // how often they were asked for
	other []string // the other half of a refused call, not asked for yet

	because error // why the call that held both halves was refused
}

// culprits is how many bad tweets in one call are looked for. A provider that
// refuses whatever it is asked must not be asked about each tweet.
const culprits = 3

func newAgenda(ids []string) *agenda {
	a := &agenda{spare: culprits * 2 * bits.Len(uint(len(ids)))}
	a.add(group{ids: ids})
	return a
}

func (a *agenda) add(g group) {
	if len(g.ids) > 0 {
		a.groups = append(a.groups, g)
	}
}

// next takes the next group, and counts that it is asked for.
func (a *agenda) next() (group, bool) {
	if len(a.groups) == 0 {
		return group{}, false
	}
	g := a.groups[0]
	a.groups = a.groups[1:]
	g.tries++
	return g, true
}

// again puts a group back whose call did not come to an answer.
func (a *agenda) again(g group, failed, unasked []string) {
	g.ids = failed
	a.add(g)
	a.add(group{ids: unasked, tries: g.tries - 1})
}

// answered notes that the provider took the call of g: if it is a half of a
// refused one, the culprit is in the other half. A culprit that is found that way
// is returned.
func (a *agenda) answered(g group) (culprit []string) {
	if len(g.other) < 2 {
		return g.other
	}
	a.halve(g.other, g.because)
	return nil
}

// failed notes that g has been given up, which says nothing of the tweets that
// were not asked for yet.
func (a *agenda) failed(g group, unasked []string) {
	a.add(group{ids: g.other})
	a.add(group{ids: unasked, tries: g.tries - 1})
}

// split halves the tweets of g that were refused because of err. When too many
// calls were refused it returns all that is left, to be given up.
func (a *agenda) split(g group, refused, unasked []string, err error) (givenUp []string) {
	if a.spare--; a.spare < 0 {
		return slices.Concat(refused, unasked, a.drop(g))
	}
	a.failed(g, unasked)
	a.halve(refused, err)
	return nil
}

func (a *agenda) halve(ids []string, because error) {
	half := len(ids) / 2
	a.add(group{ids: ids[:half], other: ids[half:], because: because})
}

// drop empties the agenda, and returns what was on it and the other half of g.
func (a *agenda) drop(g group) []string {
	dropped := slices.Clone(g.other)
	for _, g := range a.groups {
		dropped = slices.Concat(dropped, g.ids, g.other)
	}
	a.groups = nil
	return dropped
}
