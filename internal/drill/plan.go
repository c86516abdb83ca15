package drill

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"

	"gorgone/twitter/twittertest"
)

// plan is what goes wrong when. The same options make the same plan.
type plan struct {
	tracks [][]event // each is carried out in order, all at the same time
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
}

func newPlan(o Options) plan {
	p := planner{o, rand.New(rand.NewPCG(o.Seed, 0x6472696c6c))}
	return plan{[][]event{
		p.track(1, 5, p.processes()),
		p.track(0.5, 3, p.connections()),
		p.track(0.5, 2, p.provider()),
		p.track(2, 10, p.freezes()),
		p.track(1, 4, p.tweets()),
	}}
}

// draw makes one event of a kind; its time is set by the track.
type draw func() event

// track fills the time with events, each drawn from all kinds before any is
// drawn again, with gaps of least to most seconds between them. It begins at once,
// so that even half a minute has room for a freeze. An event that would outlast the
// time is left out.
func (p planner) track(least, most float64, draws []draw) (events []event) {
	at := p.seconds(0.5, 2)
	for tries := 0; tries < len(draws); {
		for _, i := range p.random.Perm(len(draws)) {
			e := draws[i]()
			if e.at = at; e.at+e.length > p.Duration {
				tries++
				continue
			}
			tries = 0
			if p.leaveOut(e) {
				continue
			}
			events = append(events, e)
			at += e.length + p.seconds(least, most)
		}
	}
	return events
}

// leaveOut reports whether the event is one that is not wanted.
func (p planner) leaveOut(e event) bool {
	return slices.Contains(p.Without, string(e.kind)) || e.what != "" && slices.Contains(p.Without, e.what)
}

func (p planner) seconds(least, most float64) time.Duration {
	return time.Duration((least + p.random.Float64()*(most-least)) * float64(time.Second))
}

func (p planner) one(part string, of int) string {
	return fmt.Sprintf("%s-%d", part, 1+p.random.IntN(of))
}

func (p planner) processes() []draw {
	killed := func(part string, of int, most float64) draw {
		return func() event {
			return event{kind: kill, target: p.one(part, of), length: p.seconds(0.1, most)}
		}
	}
	return []draw{
		killed(partWorker, p.Workers, 3), killed(partWorker, p.Workers, 3), killed(partWorker, p.Workers, 3),
		killed(partDispatch, p.Dispatchers, 3), killed(partNATS, p.Nodes, 4),
		func() event { return event{kind: crash, target: partPostgres, length: p.seconds(0.1, 3)} },
	}
}

func (p planner) connections() (draws []draw) {
	add := func(k kind, part string, of int, link string, least, most float64) {
		draws = append(draws, func() event {
			e := event{kind: k, target: p.one(part, of), link: link, length: p.seconds(least, most)}
			if k == delay {
				e.number = 50 + p.random.IntN(200) // milliseconds
			}
			return e
		})
	}
	for _, link := range []string{partPostgres, partNATS, partProvider} {
		add(cut, partWorker, p.Workers, link, 0.2, 3)
		add(stall, partWorker, p.Workers, link, 1, 5)
		add(delay, partWorker, p.Workers, link, 1, 5)
	}
	for _, link := range []string{partPostgres, partNATS} {
		add(cut, partDispatch, p.Dispatchers, link, 0.2, 3)
		add(stall, partDispatch, p.Dispatchers, link, 1, 5)
	}
	add(cut, partWeb, 1, partPostgres, 0.2, 2)
	add(cut, partWeb, 1, partNATS, 0.2, 2)
	return draws
}

func (p planner) provider() (draws []draw) {
	for _, f := range twittertest.Faults() {
		draws = append(draws, func() event {
			e := event{kind: fault, target: partProvider, what: string(f), share: 0.1 + 0.6*p.random.Float64(), length: p.seconds(0.5, 3)}
			switch f {
			case twittertest.RateLimited, twittertest.UsageCapped, twittertest.Unauthorized, twittertest.OutOfCredit:
				e.share, e.number = 0, 1 // one call stops all
			default:
			}
			return e
		})
	}
	draws = append(draws, func() event {
		return event{kind: drop, target: partProvider, share: 0.02 + 0.5*p.random.Float64(), length: p.seconds(1, 4)}
	}, func() event {
		return event{kind: broke, target: partProvider, length: p.seconds(1, 5)}
	})
	return draws
}

func (p planner) freezes() []draw {
	return []draw{func() event {
		return event{kind: freeze, target: p.one(partWorker, p.Workers), length: lease + p.seconds(1, 2)}
	}}
}

func (p planner) tweets() []draw {
	return []draw{
		func() event {
			return event{kind: deletes, target: partProvider, number: 1 + p.random.IntN(max(p.Tweets/500, 1)), length: p.seconds(1, 2)}
		},
		func() event { return event{kind: returns, target: partProvider, number: 1, length: p.seconds(1, 2)} },
		func() event { return event{kind: poison, target: partProvider, number: 1, length: p.seconds(2, 6)} },
	}
}
