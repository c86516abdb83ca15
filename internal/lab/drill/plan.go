package drill

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// plan is what goes wrong when. The same options make the same plan.
type plan struct {
	tracks  [][]event // each is carried out in order, all at the same time
	massive bool      // there is a mass deletion
}

// String names the plan by a hash, so that two runs can be told to be of the same.
func (p plan) String() string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(p.list()))
	return fmt.Sprintf("%08x", h.Sum32())
}

func (p plan) list() string {
	all := slices.Concat(p.tracks...)
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	for _, e := range all {
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

func (p plan) write(path string) error {
	if err := os.WriteFile(path, []byte(p.list()), 0o600); err != nil {
		return fmt.Errorf("keep the plan: %w", err)
	}
	return nil
}

// planner draws a plan.
type planner struct {
	Options

	random *rand.Rand
	massed bool // a mass deletion was drawn, or there is to be none
	unseen int  // tweets that may still be new to us
}

func newPlan(o Options) plan {
	p := &planner{Options: o, random: rand.New(rand.NewPCG(o.Seed, 0x6472696c6c)), unseen: o.unseen()}
	// Held deletions hide whether others are found in time.
	p.massed = p.random.IntN(3) > 0 && !slices.Contains(o.Faults, string(mass))
	plan := plan{massive: !p.massed}
	for _, family := range families() {
		plan.tracks = append(plan.tracks, p.track(family))
	}
	return plan
}

// track fills the time with faults of a family, each drawn from all kinds before any is
// drawn again. It begins at once, so that even half a minute has room for a freeze. A fault
// that would outlast the time is left out.
func (p *planner) track(f family) (events []event) {
	kinds := slices.DeleteFunc(f.faults, func(k faultKind) bool { return !p.wanted(k) })
	at := p.seconds(0.5, 2)
	for tries := 0; tries < len(kinds); {
		for _, i := range p.random.Perm(len(kinds)) {
			e := kinds[i].draw(p)
			e.kind, e.what, e.at = kinds[i].kind, kinds[i].what, at
			if e.at+e.length > p.Duration {
				tries++
				continue
			}
			tries = 0
			events = append(events, e)
			at += e.length + p.seconds(f.least, f.most)
		}
	}
	return events
}
