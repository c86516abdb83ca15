package lookup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sourcegraph/conc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/bill"
	"gorgone/twitter"
)

// response is what one call led to.
type response struct {
	assessed

	group  group    // that it is of
	failed []string // tweets without an answer because of err
	err    error    // why the call failed, or was not made

	provider *Provider // that was asked; nil: none could be
	began    time.Time // when the call began, by the monotonic clock; zero: it was not made

	canaries    int          // tweets asked for only to see whether the answer can be believed
	controls    []bill.Calls // what these cost, and calls to see whether the provider answers at all
	failedCalls int          // calls that were made and failed
}

// planned is a call that is to be made.
type planned struct {
	group    group
	order    []string // the tweets of the group, and canaries
	canaries map[string]bool
}

// errHalted means that a call was not begun because another of the same step failed.
var errHalted = errors.New("another call failed")

// ask looks up all that is left to do, in one step: in as many calls as it takes, beside
// one another. When one fails, those that have not begun are not made: what has failed is
// decided upon first, and what has been answered is written.
func (c *Client) ask(ctx, stop context.Context, r Request, todo *bisection) []response {
	p, err := available(r.order)
	if err != nil {
		var failed []response
		for g := range todo.all() {
			failed = append(failed, response{group: g, failed: g.ids, err: err})
		}
		return failed
	}
	c.shareMissRate(ctx)
	var calls []planned
	tweets := 0
	for g := range todo.all() {
		tweets += len(g.ids)
		calls = append(calls, c.plan(ctx, g, r.Standings, p.MaxIDs(), todo)...)
	}
	calls = tryLarger(p, calls)
	ctx, span := c.parts.Tracer.Start(ctx, "look up", trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attribute.Int("tweets", tweets), attribute.String("provider", p.Name), attribute.Int("calls", len(calls))))
	defer span.End()
	step := &step{client: c, provider: p, req: r, all: stop, got: make([]response, len(calls))}
	step.stop, step.halt = context.WithCancelCause(stop)
	defer step.halt(nil)
	if len(calls) == 1 {
		step.call(ctx, 0, calls[0])
	} else {
		var beside conc.WaitGroup
		for i, call := range calls {
			beside.Go(func() { step.call(ctx, i, call) })
		}
		beside.Wait()
	}
	found := 0
	for i := range step.got {
		found += len(step.got[i].Found)
		if err := step.got[i].err; err != nil {
			span.SetStatus(codes.Error, twitter.Kind(err))
		}
	}
	span.SetAttributes(attribute.Int("found", found))
	return step.got
}

// plan cuts a group into calls of at most perCall tweets.
func (c *Client) plan(ctx context.Context, g group, standings map[string]engagement.PriorState, perCall int, todo *bisection) (calls []planned) {
	if len(g.ids) > perCall && len(g.other) > 0 {
		// The provider takes fewer ids than before: nothing follows from one answer for
		// the other half.
		todo.add(group{ids: g.other})
		g.other, g.because = nil, nil
	}
	order, canaries := c.withCanaries(ctx, g.ids, standings, perCall)
	for part := range slices.Chunk(order, perCall) {
		own := g
		own.ids = slices.DeleteFunc(slices.Clone(part), func(id string) bool { return canaries[id] })
		if len(own.ids) > 0 {
			calls = append(calls, planned{own, part, canaries})
		}
	}
	return calls
}

// tryLarger makes one call of the first two when the provider may take as many ids: now and
// then, to find out. What it refuses is asked for again as if nothing had happened, and is not
// billed. Halves of a call that failed stay apart.
func tryLarger(p *Provider, calls []planned) []planned {
	if len(calls) < 2 || p.Larger == nil {
		return calls
	}
	a, b := calls[0], calls[1]
	if a.group.suspect() || b.group.suspect() || a.group.tries > 1 || b.group.tries > 1 || !p.Larger(len(a.order)+len(b.order)) {
		return calls
	}
	both := planned{group: a.group, order: slices.Concat(a.order, b.order), canaries: make(map[string]bool)}
	both.group.ids = slices.Concat(a.group.ids, b.group.ids)
	maps.Copy(both.canaries, a.canaries)
	maps.Copy(both.canaries, b.canaries)
	return append([]planned{both}, calls[2:]...)
}

// step is the calls of one step of a look-up.
type step struct {
	client   *Client
	provider *Provider
	req      Request
	all      context.Context //nolint:containedctx // ends when no call of the look-up may begin any more
	stop     context.Context //nolint:containedctx // ends when none of this step may begin any more
	halt     context.CancelCauseFunc

	assessing sync.Mutex // of the request's standings
	got       []response
}

// call makes one call, and notes what it led to as number i.
func (s *step) call(ctx context.Context, i int, call planned) {
	g := &gate{Provider: s.provider, client: s.client, req: s.req, ids: call.group.ids, tweets: len(call.order), stop: s.stop}
	answer, suspected, err := s.client.call(ctx, g, call, &s.assessing)
	got := newResponse(call, answer, err)
	got.provider, got.began = s.provider, g.granted
	if got.err != nil {
		s.halt(errHalted)
	}
	switch {
	case !suspected:
	case got.proven: // so many tweets need no trial of another
		s.provider.Breaker.Open(context.WithoutCancel(ctx), g.began, engagement.CauseOutage, reasonUnusable)
	default:
		spent, _, _ := s.client.confirm(ctx, s.all, s.req, s.provider, g.granted, got.err)
		got.controls = bill.Add(got.controls, spent.usage(s.provider))
	}
	s.got[i] = got
}

// call makes one call, decides what of its answer can be believed, and tells all
// replicas how it ended. suspected reports that it is time to find out whether the
// provider is at fault.
func (c *Client) call(ctx context.Context, g *gate, call planned, assessing *sync.Mutex) (a assessed, suspected bool, err error) {
	if g.req.Class == queue.ClassBatch {
		places := c.parallel[g.Provider]
		if err := g.await(ctx, places.acquire); err != nil {
			return assessed{}, false, err
		}
		defer func() { places.release(c.parts.Clock.Database(), g.took) }()
	}
	answer, err := g.Lookup(ctx, g, call.order)
	g.took = answer.Took
	g.settle(answer.Billed + answer.Lost)
	assessing.Lock()
	a = c.assess(answer, g.req.Standings, call.canaries)
	assessing.Unlock()
	ended := err
	switch {
	case err == nil:
		ended = a.fault()
	case errors.Is(err, twitter.ErrTooManyIDs):
		ended = nil
	}
	if ended == nil && err == nil { // a refusal of so many tweets says nothing about one of them
		c.health[g.Provider].answers(g.granted)
	}
	return a, c.shareResult(ctx, g.Provider, g.began, ended), err
}

// newResponse says what a call led to.
func newResponse(call planned, a assessed, err error) response {
	r := response{assessed: a, group: call.group, err: err}
	if a.Calls > 0 {
		r.canaries = len(call.order) - len(call.group.ids)
	}
	if err != nil {
		r.Unresolved = slices.DeleteFunc(r.Unresolved, func(u twitter.Unresolved) bool { return errors.Is(u.Err, err) })
		r.failed = slices.DeleteFunc(slices.Clone(call.group.ids), func(id string) bool {
			return slices.ContainsFunc(r.Unresolved, func(u twitter.Unresolved) bool { return u.ID == id })
		})
	} else if r.err = r.fault(); r.err != nil {
		for _, m := range r.implausible {
			r.failed = append(r.failed, m.ID)
		}
	}
	if r.err != nil && a.Calls > 0 && !r.notAsked() {
		r.failedCalls = 1
	}
	return r
}

// notAsked reports whether the call was not made because another failed, or refused only
// because of the number of its tweets: they are asked for again as if nothing had
// happened.
func (r *response) notAsked() bool {
	return errors.Is(r.err, errHalted) || errors.Is(r.err, twitter.ErrTooManyIDs)
}

// unconfirmed takes out of a response what it lacks and what nothing follows from, to
// be asked for again beside a canary: once, which asked remembers.
func (r *response) unconfirmed(asked map[string]bool) (again []string) {
	if r.err != nil || r.canaries > 0 {
		return nil
	}
	r.unproven = slices.DeleteFunc(r.unproven, func(m twitter.Missing) bool {
		if asked[m.ID] {
			return false
		}
		asked[m.ID] = true
		again = append(again, m.ID)
		return true
	})
	return again
}

// results is what the provider said, tweet by tweet, in the given call of the step.
func (r *response) results(call int) []Result {
	results := make([]Result, 0, len(r.Found)+len(r.Missing)+len(r.unproven)+len(r.Unresolved))
	for _, f := range r.Found {
		results = append(results, Result{
			TweetID: f.ID, Kind: store.Found, Call: call,
			Observation: engagement.Observation{At: f.At, Metrics: f.Metrics, Provider: r.Provider},
			Unreadable:  len(f.Unreadable) > 0,
		})
	}
	absent := func(kind store.Kind, list []twitter.Missing) {
		for _, m := range list {
			results = append(results, Result{
				TweetID: m.ID, Kind: kind, Call: call, Observation: engagement.Observation{At: m.At}, Reason: m.Reason,
			})
		}
	}
	absent(store.Missing, r.Missing)
	absent(store.Unproven, r.unproven)
	for _, u := range r.Unresolved {
		results = append(results, Result{TweetID: u.ID, Kind: store.Unresolved, Reason: u.Err.Error()})
	}
	return results
}

// signals is what the answer told of tweets that were not asked for. Nothing is believed of an
// answer that is at fault.
func (r *response) signals(call int) []Result {
	if r.err != nil {
		return nil
	}
	signals := make([]Result, len(r.Embedded))
	for i, e := range r.Embedded {
		signals[i] = Result{TweetID: e.ID, Kind: store.Found, Call: call, Observation: engagement.Observation{
			At: e.At, Metrics: e.Metrics, Provider: r.Provider, Pushed: true,
		}}
	}
	return signals
}

// fault is the provider's fault of having lacked too many tweets, or of having sent too many
// that cannot be used; nil when there was none. The latter are not asked for again at once:
// they were paid for.
func (a *assessed) fault() error {
	if a.unusable > 0 && (a.proven || len(a.Found) == 0 && len(a.implausible) == 0) {
		return fmt.Errorf("%w: %d %w, %d can", twitter.ErrProviderFault, a.unusable, ErrUnusable, len(a.Found))
	}
	if len(a.implausible) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d %w, %d are", twitter.ErrProviderFault, len(a.implausible), ErrImplausible, len(a.Found))
}
