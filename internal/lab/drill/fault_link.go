package drill

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// linkFaults are connections that break.
func linkFaults() family {
	var faults []faultKind
	add := func(k kind, part string, of func(p *planner) int, link string, least, most float64) {
		faults = append(faults, faultKind{kind: k, begin: spoiledLink, draw: func(p *planner) event {
			e := event{target: p.one(part, of(p)), link: link, length: p.seconds(least, most)}
			if k == delay {
				e.number = 50 + p.random.IntN(200) // milliseconds
			}
			return e
		}})
	}
	workers, dispatchers := func(p *planner) int { return p.Workers }, func(p *planner) int { return p.Dispatchers }
	for _, link := range []string{partPostgres, partNATS, partProvider} {
		add(cut, partWorker, workers, link, 0.2, 3)
		add(stall, partWorker, workers, link, 1, 5)
		add(delay, partWorker, workers, link, 1, 5)
	}
	for _, link := range []string{partPostgres, partNATS} {
		add(cut, partDispatch, dispatchers, link, 0.2, 3)
		add(stall, partDispatch, dispatchers, link, 1, 5)
	}
	web := func(*planner) int { return 1 }
	add(cut, partWeb, web, partPostgres, 0.2, 2)
	add(cut, partWeb, web, partNATS, 0.2, 2)
	lost := faultKind{kind: pooler, begin: lostPooler, draw: func(p *planner) event {
		return event{target: partPostgres, length: p.seconds(0.2, 3)}
	}}
	return family{least: 0.5, most: 3, faults: append(faults, lost, lost)}
}

func spoiledLink(ctx context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	l := w.links.Find(e.target, e.link)
	if l == nil {
		return nil, fmt.Errorf("no connection from %s to %s", e.target, e.link)
	}
	switch e.kind {
	case cut:
		return w.begun(e, func() error { l.Cut(); return nil }, l.Mend)
	case stall:
		return w.begun(e, l.Stall, func() error { return l.Unstall(ctx) })
	default:
		return w.begun(e, func() error { return l.Slow(time.Duration(e.number) * time.Millisecond) },
			func() error { l.Heal(ctx); return nil })
	}
}

// lostPooler closes the connections of all processes to Postgres at once, and refuses new
// ones.
func lostPooler(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	return w.begun(e, func() error {
		for _, l := range w.links.To(partPostgres) {
			l.Cut()
		}
		return nil
	}, func() error {
		var failed []error
		for _, l := range w.links.To(partPostgres) {
			failed = append(failed, l.Mend())
		}
		return errors.Join(failed...)
	})
}
