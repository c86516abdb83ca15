package lookup

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
	"gorgone/store/bill"
)

// Config says how calls are made.
type Config struct {
	CallTimeout  time.Duration // the longest one call may take
	RatePause    time.Duration // pause after a 429 that does not say how long
	BalanceEvery time.Duration // how often one of all replicas reads what is left of an account; 0: never
	MaxCalls     int           // the most batch calls at once. Defaults to 256
}

// Parts are what a client works with. All of them are required unless they say
// otherwise.
type Parts struct {
	Providers []*Provider // the first is asked, or the cheapest where all have prices; the others, in turn, while its breaker is open
	Pauses    Pauses      // may be nil
	Tweets    Tweets
	Tracer    trace.Tracer // may be nil
	Clock     Clock
	Random    func() float64 // in [0, 1), safe for concurrent use
	Log       zerolog.Logger
}

// Tweets is what the database knows about tweets in general.
type Tweets interface {
	// Controls returns tweets that are known to exist.
	Canaries(ctx context.Context, except []string, limit int) ([]string, error)
	// ShareBaseline adds to what replicas know about how often tweets disappear, and
	// returns all of it.
	ShareBaseline(ctx context.Context, learnt engagement.Sample) (engagement.Baseline, error)
	// RecordCalls records what calls cost that belong to no batch and no refresh.
	RecordCalls(ctx context.Context, refresh bool, calls ...store.Calls) error
	// SetAside holds the money for a call of so many tweets beyond those that count as spent
	// already, until ReleaseAside, or fails when a budget, or a cap of the zones of the tweets
	// asked for, does not have it.
	SetAside(ctx context.Context, id uuid.UUID, refresh bool, tweets int, asked []string) error
	ReleaseAside(ctx context.Context, ids ...uuid.UUID) error
}

// Pauses knows what operators have paused.
type Pauses interface {
	// Check returns an [OperatorPauseError] while a class is paused.
	Check(class queue.Class) error
}

// OperatorPauseError says that an operator has paused a class.
type OperatorPauseError struct {
	Reason string
	Until  time.Time // database time; zero: not known
}

func (e *OperatorPauseError) Error() string { return e.Reason }

// neverPaused are [Pauses] of which there are none.
type neverPaused struct{}

func (neverPaused) Check(queue.Class) error { return nil }

// Clock tells engine time and database time.
type Clock interface {
	Now() time.Time
	Database() time.Time
	Real(engine time.Duration) time.Duration
	// Agrees returns an error while the database's clock and this machine's are so far apart
	// that it is not known what time it is.
	Agrees() error
}

// Client looks tweets up. It is safe for concurrent use.
type Client struct {
	cfg         Config
	parts       Parts
	credibility credibility
	parallel    map[*Provider]*parallelism // of batch calls
	health      map[*Provider]*health
}

// New returns a client.
func New(cfg Config, parts Parts) *Client {
	if parts.Pauses == nil {
		parts.Pauses = neverPaused{}
	}
	if parts.Tracer == nil {
		parts.Tracer = noop.NewTracerProvider().Tracer("")
	}
	c := &Client{cfg: cfg, parts: parts, parallel: make(map[*Provider]*parallelism, len(parts.Providers)), health: make(map[*Provider]*health, len(parts.Providers))}
	for _, p := range parts.Providers {
		c.health[p] = newHealth()
		c.parallel[p] = &parallelism{most: cmp.Or(cfg.MaxCalls, defaultMaxCalls), rate: p.Rate}
	}
	return c
}

// Request is what to look up.
type Request struct {
	Class     queue.Class
	IDs       []string
	Standings map[string]engagement.PriorState // what is known of each; tweets that an answer lacks are in doubt afterwards
	Until     time.Time                        // engine time after which an answer is of no use
	Owner     Owner                            // nil: no other worker can have been given the tweets
	Log       zerolog.Logger

	// Client is the client whose own key the tweets are to be looked up by; zero: the shared
	// one. In a refresh it is the client that pays, whose key may have gone. A [Client] makes
	// all its calls with one key; who has several picks one by this.
	Client uuid.UUID

	// Redelivered is how many of the tweets another worker was given before. It may have
	// paid for a call, so the budget is asked before one is made.
	Redelivered int

	purse *purse
	order []*Provider // to ask, the first whose breaker is closed
}

// Owner knows whether tweets are still the caller's to look up.
type Owner interface {
	// Check returns nil when a call for the tweets may begin, and for how long, in real
	// time, that holds without asking again; 0: for good. The error is [ErrTakenOver] or
	// [ErrOwnershipUnknown].
	Check(ctx context.Context, ids []string) (valid time.Duration, err error)
}

// Answer is what is known after one step of a look-up. Each tweet of the request is
// in one answer, in one of Results, Failed and Left.
type Answer struct {
	Results []Result     // what the provider said
	Failed  []string     // tweets that no call will answer, because of Err
	Left    []string     // tweets that were not looked up, because of Err; they close the sequence
	Err     error        // of Failed and Left; not set otherwise
	Usage   []bill.Calls // what the step cost

	// Signals are tweets that were not asked for, of which the answers told the counts beside.
	// Nothing is owed about them. A tweet may be among them several times.
	Signals []Result
}

// Result is what the provider said of one tweet.
type Result struct {
	TweetID     string
	Kind        store.Kind
	Call        int // which call of the step gave it, from 1; 0: not known
	Observation engagement.Observation
	Reason      string // may be empty
	Unreadable  bool   // a counter of the tweet could not be read
}

// Lookup looks the tweets up. It yields what is known after each step, so that it can
// be written before the next one, which may come after a pause. The calls of a step run
// beside one another. No call begins after stop has ended; one that is under way goes on
// until ctx ends.
func (c *Client) Lookup(ctx, stop context.Context, r Request) iter.Seq[Answer] {
	return func(yield func(Answer) bool) {
		todo := newBisection(r.IDs)
		confirmed := make(map[string]bool)
		r.order = c.inOrder(ctx, r.IDs)
		r.purse = newPurse(c.parts.Tweets, r.Class, len(r.IDs), r.Redelivered)
		defer func() {
			if err := r.purse.end(ctx); err != nil {
				r.Log.Warn().Err(err).Msg("what was set aside for calls counts as spent for some minutes")
			}
		}()
		each := yield
		yield = func(a Answer) bool {
			if !each(a) {
				return false
			}
			// A failed refresh is recorded without what it has cost.
			written := len(a.Results) > 0 || len(a.Failed) > 0 && r.Class == queue.ClassBatch
			r.purse.closed(len(a.Results)+len(a.Failed), written)
			return true
		}
		for len(todo.groups) > 0 {
			calls := c.ask(ctx, stop, r, todo)
			if !yield(known(calls, r.Class, todo, confirmed)) {
				return
			}
			unanswered, pause := c.conclude(ctx, stop, r, todo, calls)
			for _, answer := range unanswered {
				if !yield(answer) {
					return
				}
			}
			if err := sleep(ctx, stop, pause); err != nil {
				for _, answer := range todo.leave(err) {
					if !yield(answer) {
						return
					}
				}
				return
			}
		}
	}
}

// known is what the calls of a step have answered. What is to be confirmed beside a canary
// is still to do.
func known(calls []response, class queue.Class, todo *bisection, confirmed map[string]bool) (a Answer) {
	for i := range calls {
		got := &calls[i]
		if termsOf(class).confirm {
			todo.add(group{ids: got.unconfirmed(confirmed), again: true})
		}
		a.Results = append(a.Results, got.results(i+1)...)
		for _, u := range got.usage() {
			a.Usage = bill.Add(a.Usage, u)
		}
		a.Signals = append(a.Signals, got.signals(i+1)...)
	}
	return a
}

// conclude decides what follows from the calls of a step: the tweets that stay
// unanswered, why, and what is to be asked next, after a pause. When one call left
// tweets because none can be made now, all that is not answered is left; it comes last.
func (c *Client) conclude(ctx, stop context.Context, r Request, todo *bisection, calls []response) (unanswered []Answer, pause time.Duration) {
	terms := termsOf(r.Class)
	failed := func(ids []string, err error) {
		if len(ids) > 0 {
			unanswered = append(unanswered, Answer{Failed: ids, Err: err})
		}
	}
	var left error // why no further call can be made
	for i := range calls {
		got := &calls[i]
		g := got.group
		if got.notAsked() {
			g.tries--
			todo.again(g, got.failed)
			continue
		}
		if g.since.IsZero() {
			g.since = got.began
		}
		decision, spent := c.decide(ctx, stop, r, g, got)
		if spent.calls > 0 {
			unanswered = append(unanswered, Answer{Usage: []bill.Calls{spent.usage(got.provider)}})
		}
		switch {
		case decision == Done:
			failed(todo.answered(g), g.because)
		case decision == Split:
			failed(todo.split(g, got.failed, got.err), got.err)
		case decision == Fail:
			todo.failed(g)
			failed(got.failed, got.err)
		case decision == Retry:
			pause = max(pause, engagement.Backoff(g.tries, terms.retryBase, terms.retryCeiling, c.parts.Random()))
			r.Log.Warn().Err(got.err).Int("tries", g.tries).Int("tweets", len(got.failed)).Msg("look-up failed, trying again")
			if errors.Is(got.err, ErrImplausible) {
				g.lacked = got.err
			}
			todo.again(g, got.failed)
		case decision == Elsewhere, decision == Wait && terms.wait:
			g.tries--
			todo.again(g, got.failed)
		default: // Wait, Park, Leave
			todo.again(g, got.failed)
			left = cmp.Or(left, got.err)
		}
	}
	if left != nil {
		unanswered = append(unanswered, todo.leave(left)...)
	}
	return unanswered, pause
}

// leave ends a look-up: what is left in the bisection is not looked up because of err. An
// answer may have lacked some of it, though: that is said first, so that these tweets are
// in doubt from now on and back off. Otherwise they would be asked for first the next
// time, and lacked again.
func (b *bisection) leave(err error) (answers []Answer) {
	if !errors.Is(err, ErrTakenOver) {
		for _, g := range b.lacking() {
			answers = append(answers, Answer{Failed: g.ids, Err: g.lacked})
		}
	}
	if rest := b.drop(group{}); len(rest) > 0 {
		answers = append(answers, Answer{Left: rest, Err: err})
	}
	return answers
}

// MaxIDs is how many tweets one call takes of the provider that would be asked now.
func (c *Client) MaxIDs() int {
	if p, err := available(c.parts.Providers); err == nil {
		return p.MaxIDs()
	}
	return c.parts.Providers[0].MaxIDs()
}

// available returns the first provider whose breaker lets calls through. The error is
// the first one's.
func available(order []*Provider) (*Provider, error) {
	var first error
	for _, p := range order {
		err := p.Breaker.Allow()
		if err == nil {
			return p, nil
		}
		first = cmp.Or(first, err)
	}
	return nil, first
}

// sleep waits for d, until ctx ends or until no further call may begin.
func sleep(ctx, stop context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-stop.Done():
		return stopCause(stop)
	}
}

// stopCause is why no further call may begin.
func stopCause(stop context.Context) error {
	for _, cause := range []error{ErrOwnershipUnknown, errHalted} {
		if errors.Is(context.Cause(stop), cause) {
			return cause
		}
	}
	return ErrStopping
}
