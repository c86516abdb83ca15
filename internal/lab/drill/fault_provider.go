package drill

import (
	"context"
	"math/rand/v2"

	"gorgone/twitter/fakeprovider"
)

// callFaults are what the provider can do wrong with calls, for seconds.
func callFaults() family {
	var faults []faultKind
	for _, f := range fakeprovider.Faults() {
		faults = append(faults, faultKind{kind: fault, what: string(f), begin: spoiledCalls, draw: func(p *planner) event {
			e := event{target: partProvider, share: 0.1 + 0.6*p.random.Float64(), length: p.seconds(0.5, 3)}
			switch f {
			case fakeprovider.RateLimited, fakeprovider.UsageCapped, fakeprovider.Unauthorized, fakeprovider.OutOfCredit:
				e.share, e.number = 0, 1 // one call stops all
			default:
			}
			return e
		}})
	}
	return family{least: 0.5, most: 2, faults: append(faults,
		faultKind{kind: drop, begin: dropped, draw: func(p *planner) event {
			return event{target: partProvider, share: 0.02 + 0.5*p.random.Float64(), length: p.seconds(1, 4)}
		}},
		faultKind{kind: broke, begin: withoutCredit, draw: func(p *planner) event {
			return event{target: partProvider, length: p.seconds(1, 5)}
		}},
	)}
}

// refusals are calls that are refused now and then, for long: by an edge node, or by a
// server of many.
func refusals() family {
	refused := func(f fakeprovider.Fault) faultKind {
		return faultKind{kind: sporadic, what: "sporadic_" + string(f), draw: func(p *planner) event {
			return event{target: partProvider, share: 0.02, length: p.steady(0.2, 0.5)}
		}, begin: func(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
			return w.faultyCalls(e, f)
		}}
	}
	return family{least: 1, most: 5, faults: []faultKind{refused(fakeprovider.Challenge), refused(fakeprovider.ServerError)}}
}

// oddAnswers have counters that are no numbers, for long.
func oddAnswers() family {
	return family{least: 3, most: 15, faults: []faultKind{
		{kind: odd, draw: func(p *planner) event {
			return event{target: partProvider, share: 0.05 + 0.2*p.random.Float64(), length: p.steady(0.1, 0.4)}
		}, begin: func(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
			return w.faultyCalls(e, fakeprovider.OddViews)
		}},
	}}
}

// balanceFaults are those of the route that tells what the account has left.
func balanceFaults() family {
	var faults []faultKind
	for _, f := range fakeprovider.BalanceFaults() {
		if f == fakeprovider.BalanceHealthy {
			continue
		}
		faults = append(faults, faultKind{kind: balance, what: "balance_" + string(f), draw: func(p *planner) event {
			return event{target: partProvider, length: p.steady(0.1, 0.3)}
		}, begin: func(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
			set := func(f fakeprovider.BalanceFault) func() error {
				return func() error { return w.provider.Inject(fakeprovider.Injection{Balance: &f}) }
			}
			return w.begun(e, set(f), set(fakeprovider.BalanceHealthy))
		}})
	}
	return family{least: 2, most: 10, faults: faults}
}

func spoiledCalls(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	return w.faultyCalls(e, fakeprovider.Fault(e.what))
}

// faultyCalls has a share of the calls, or the next ones, fail.
func (w *world) faultyCalls(e *event, f fakeprovider.Fault) (heal func() error, err error) {
	set := func(share float64, next int) func() error {
		return func() error {
			return w.provider.Inject(fakeprovider.Injection{Calls: []fakeprovider.CallInjection{{Fault: f, Share: &share, Next: next}}})
		}
	}
	return w.begun(e, set(e.share, e.number), set(0, 0))
}

func dropped(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	set := func(share float64) func() error {
		return func() error { return w.provider.Inject(fakeprovider.Injection{DropShare: &share}) }
	}
	return w.begun(e, set(e.share), set(0))
}

func withoutCredit(_ context.Context, w *world, e *event, _ *rand.Rand) (heal func() error, err error) {
	set := func(credits int64) func() error {
		return func() error { return w.provider.Inject(fakeprovider.Injection{Credits: &credits}) }
	}
	return w.begun(e, set(0), set(-1))
}
