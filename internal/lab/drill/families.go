package drill

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// family is faults of which one happens at a time. Those of different families happen at
// the same time.
type family struct {
	least, most float64 // seconds between two faults
	faults      []faultKind
}

// faultKind is a kind of fault: how it is drawn, and how it begins.
type faultKind struct {
	kind  kind
	what  string // of the provider's: which
	draw  func(p *planner) event
	begin func(ctx context.Context, w *world, e *event, random *rand.Rand) (heal func() error, err error)
}

// families are all that can go wrong.
func families() []family {
	return []family{
		processFaults(), freezes(), linkFaults(), databaseFaults(), stateFaults(),
		callFaults(), refusals(), oddAnswers(), balanceFaults(), tweetFaults(), poisons(), indexFaults(), hostFaults(),
	}
}

// faultNames are the names that [Options.Faults] and [Options.Without] take: the kinds of
// faults, and what the provider can do wrong.
func faultNames() (names []string) {
	for _, family := range families() {
		for _, k := range family.faults {
			names = append(names, string(k.kind), k.what)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}

// wanted reports whether a kind of fault may happen.
func (o Options) wanted(k faultKind) bool {
	switch {
	case k.kind == promote && !o.Standby, k.what == standby && !o.Standby, k.what == leader && o.Nodes == 1,
		(k.kind == isolate || k.kind == diskFull || slices.Contains([]string{leader, silent}, k.what)) && !o.Hosts:
		return false
	}
	in := func(list []string) bool {
		return slices.Contains(list, string(k.kind)) || k.what != "" && slices.Contains(list, k.what)
	}
	return (len(o.Faults) == 0 || in(o.Faults)) && !in(o.Without)
}

// faultKindOf returns the kind of an event of a plan.
func faultKindOf(e event) faultKind {
	for _, family := range families() {
		for _, k := range family.faults {
			if k.kind == e.kind && k.what == e.what {
				return k
			}
		}
	}
	panic(fmt.Sprintf("drill: there is no fault %s %s", e.kind, e.what)) // plans are made of what there is
}

func (p *planner) seconds(least, most float64) time.Duration {
	return time.Duration((least + p.random.Float64()*(most-least)) * float64(time.Second))
}

// steady draws how long a fault lasts that is there for a good part of the run, which is
// 5 s at least.
func (p *planner) steady(least, most float64) time.Duration {
	return max(p.seconds(least*p.Duration.Seconds(), most*p.Duration.Seconds()), 5*time.Second)
}

func (p *planner) one(part string, of int) string {
	return fmt.Sprintf("%s-%d", part, 1+p.random.IntN(of))
}

// upTo draws from 1 to a share of the tweets.
func (p *planner) upTo(share float64) int {
	return 1 + p.random.IntN(max(int(share*float64(p.Tweets)), 1))
}
