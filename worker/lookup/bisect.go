package lookup

import (
	"iter"
	"math/bits"
	"slices"
	"time"

	"gorgone/twitter"
)

// bisection is what is left to ask for of one look-up. It also finds the
// tweet because of which a call fails: the call's tweets are asked
// for in halves. When one half is answered the culprit is in the other, which is
// halved again without being asked for first, so that one culprit among n costs
// at most 2*log2(n) calls on top of the first.
type bisection struct {
	groups []group
	spare  int // calls that may still be refused before all that is left fails
}

// group is a number of tweets that are asked for together.
type group struct {
	ids   []string
	tries int      // how often they were asked for
	other []string // the other half of a refused call, not asked for yet

	again   bool      // an answer has lacked them before
	because error     // why the call that held both halves failed
	since   time.Time // when the first call of all that held these tweets and failed began
	lacked  error     // of an answer that implausibly lacked them; nil: none did
}

// suspect reports whether the tweets are a half of a call that failed while the provider
// answered others.
func (g group) suspect() bool { return g.because != nil }

// repeated reports whether the tweets were asked for before in the same look-up.
func (g group) repeated() bool { return g.tries > 1 || g.again || g.suspect() }

// culprits is how many bad tweets are looked for at least, and one in culpritShare at
// most: when more are bad, the others wait for another time.
const (
	culprits     = 3
	culpritShare = 50
)

func newBisection(ids []string) *bisection {
	b := &bisection{spare: max(culprits, len(ids)/culpritShare) * 2 * bits.Len(uint(len(ids)))}
	b.add(group{ids: ids})
	return b
}

func (b *bisection) add(g group) {
	if len(g.ids) > 0 {
		b.groups = append(b.groups, g)
	}
}

// next takes the next group, and counts that it is asked for.
func (b *bisection) next() (group, bool) {
	if len(b.groups) == 0 {
		return group{}, false
	}
	g := b.groups[0]
	b.groups = b.groups[1:]
	g.tries++
	return g, true
}

// all takes all groups, those included that are added meanwhile.
func (b *bisection) all() iter.Seq[group] {
	return func(yield func(group) bool) {
		for g, ok := b.next(); ok && yield(g); g, ok = b.next() {
		}
	}
}

// again puts a group back of which some tweets were not answered.
func (b *bisection) again(g group, left []string) {
	g.ids = left
	b.add(g)
}

// answered notes that the provider took the call of g: if it is a half of one that
// failed, the culprit is in the other half. A culprit that is found that way is returned,
// if its call was refused as a bad request; another fault might have passed, so that one
// is asked for by itself.
func (b *bisection) answered(g group) (culprit []string) {
	switch {
	case len(g.other) > 1:
		b.halve(g.other, g.because, g.since)
	case twitter.Kind(g.because) == twitter.KindBadRequest:
		return g.other
	default:
		b.add(group{ids: g.other, because: g.because, since: g.since})
	}
	return nil
}

// failed notes that g has failed, which says nothing of its other half.
func (b *bisection) failed(g group) {
	b.add(group{ids: g.other})
}

// split halves the tweets of g that were refused because of err. When too many
// calls were refused it returns all that is left: it has failed.
func (b *bisection) split(g group, refused []string, err error) (failed []string) {
	if b.spare--; b.spare < 0 {
		return slices.Concat(refused, b.drop(g))
	}
	b.failed(g)
	b.halve(refused, err, g.since)
	return nil
}

func (b *bisection) halve(ids []string, because error, since time.Time) {
	half := len(ids) / 2
	b.add(group{ids: ids[:half], other: ids[half:], because: because, since: since})
}

// lacking takes out the groups that an answer has implausibly lacked.
func (b *bisection) lacking() (groups []group) {
	b.groups = slices.DeleteFunc(b.groups, func(g group) bool {
		if g.lacked != nil {
			groups = append(groups, g)
		}
		return g.lacked != nil
	})
	return groups
}

// drop empties the bisection, and returns what was in it and the other half of g.
func (b *bisection) drop(g group) []string {
	dropped := slices.Clone(g.other)
	for _, g := range b.groups {
		dropped = slices.Concat(dropped, g.ids, g.other)
	}
	b.groups = nil
	return dropped
}
