package lookup

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/twitter"
)

// A call that fails again and again may do so because of a tweet in it, or because the
// provider fails. A trial tells: a call for one tweet that answered lately. When it is
// answered, the tweets of the other call are at fault, and are bisected; when it is not,
// the provider is, the breaker opens, and no tweet is blamed. A trial is also how an open
// breaker finds out that the provider is back.

// wellKnownTweet is the first tweet ever posted. It is asked for where none is known that
// answered; an answer without it is an answer, too.
const wellKnownTweet = "20"

// A provider is at fault when it answers none of a few trials, each for another tweet if
// there is one. Refusals of the key or for want of credit stop everybody until a person
// does something, so they must last: an edge node or a proxy may refuse calls for a moment.
const (
	trialsOfFault   = 2
	trialsOfRefusal = 3
	trialPause      = time.Second     // after the first trial of a fault
	refusalPause    = 2 * time.Second // after each trial of a refusal
)

// health is what a replica knows about whether a provider answers. Times are by the
// monotonic clock.
type health struct {
	asking chan struct{} // held by the one who makes trials

	mu       sync.Mutex
	answered time.Time // when the last call began that was answered
	failed   time.Time // when the last trials began that were not
}

func newHealth() *health { return &health{asking: make(chan struct{}, 1)} }

// answers notes that the call which began at the given time was answered.
func (h *health) answers(began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if began.After(h.answered) {
		h.answered = began
	}
}

func (h *health) fails(began time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed = began
}

// answeredSince reports whether a call that began after the given time was answered.
func (h *health) answeredSince(t time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.answered.After(t)
}

func (h *health) failedSince(t time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed.After(t)
}

// trials is what trials cost.
type trials struct {
	calls, failed, billed, lost int
	took                        time.Duration
	reads                       []twitter.Read // of billed
	lostReads                   []twitter.Read // of lost
}

func (t *trials) add(o trials) {
	t.calls, t.failed, t.billed, t.took = t.calls+o.calls, t.failed+o.failed, t.billed+o.billed, t.took+o.took
	t.lost, t.reads, t.lostReads = t.lost+o.lost, append(t.reads, o.reads...), append(t.lostReads, o.lostReads...)
}

// confirm finds out whether the provider is at fault for a call that began at the given
// time and failed because of cause: unless another call has been answered since, it makes
// trials. If the provider is, its breaker is open afterwards. The error says why it could
// not be found out.
func (c *Client) confirm(ctx, stop context.Context, r Request, p *Provider, since time.Time, cause error) (spent trials, atFault bool, err error) {
	h := c.health[p]
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return spent, false, context.Cause(ctx)
	case <-stop.Done():
		return spent, false, stopCause(stop)
	}
	g := &gate{Provider: p, client: c, req: Request{Class: r.Class, Until: r.Until, purse: r.purse}, tweets: 1, stop: stop}
	for n := 1; ; n++ {
		if h.answeredSince(since) {
			return spent, false, nil
		}
		if h.failedSince(since) {
			return spent, true, nil
		}
		g.began, g.granted = time.Time{}, time.Time{}
		found, cost, err := c.try(ctx, p, g, &g.began)
		g.settle(cost.billed + cost.lost)
		spent.add(cost)
		if err == nil && !found && errors.Is(cause, ErrImplausible) {
			err = fmt.Errorf("%w: a tweet %w, and none is", twitter.ErrProviderFault, ErrImplausible)
		}
		if err == nil {
			h.answers(g.granted)
			return spent, false, nil
		}
		most, pause := trialsOfFault, trialPause
		var reason string
		because := engagement.CauseOutage
		switch twitter.Kind(err) {
		case twitter.KindOutOfCredit:
			most, pause = trialsOfRefusal, refusalPause
			because, reason = engagement.CauseOutOfCredit, reasonNoCredit
		case twitter.KindUnauthorized:
			most, pause = trialsOfRefusal, refusalPause
			because, reason = engagement.CauseKeyRefused, reasonKeyRefused
		case twitter.KindBadRequest:
			reason = reasonRefusesAll + ": " + err.Error()
		case twitter.KindFault, twitter.KindMalformed:
			reason = reasonOf(err)
		default:
			return spent, false, err
		}
		if n >= most {
			c.parts.Log.Warn().Err(err).Str("provider", p.Name).Int("trials", n).Msg("calls fail whatever is asked for: stopping all workers")
			h.fails(g.granted)
			p.Breaker.Open(context.WithoutCancel(ctx), g.began, because, reason)
			return spent, true, nil
		}
		if err := sleep(ctx, stop, pause); err != nil {
			return spent, false, err
		}
	}
}

// try makes one trial, and tells the limiter and a half-open breaker how it ended. began
// is where the gate notes when the call began. found is false when the answer lacks a
// tweet that answered before.
func (c *Client) try(ctx context.Context, p *Provider, g twitter.Gate, began *time.Time) (found bool, cost trials, err error) {
	id, known := wellKnownTweet, false
	for _, canary := range c.findCanaries(ctx, nil, 1) {
		id, known = canary, true
	}
	answer, err := p.Lookup(ctx, g, []string{id})
	if n := unusable(&answer); err == nil && n > 0 && len(answer.Found) == 0 {
		err = fmt.Errorf("%w: %d %w", twitter.ErrProviderFault, n, ErrUnusable)
	}
	cost = trials{calls: answer.Calls, billed: answer.Billed, lost: answer.Lost, took: answer.Took, reads: answer.Reads, lostReads: answer.LostReads}
	if err != nil {
		cost.failed = answer.Calls
	}
	if began.IsZero() {
		return false, cost, err
	}
	sharing, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareTimeout)
	defer cancel()
	switch twitter.Kind(err) {
	case twitter.KindOK, twitter.KindRateLimited:
		c.shareResult(sharing, p, *began, err)
	case twitter.KindCanceled, twitter.KindOther:
		p.Limiter.Abandoned(sharing, *began)
	default:
		p.Limiter.Answered(sharing, *began)
	}
	return len(answer.Found) > 0 || !known && err == nil, cost, err
}

// check makes a trial of a provider whose breaker is open. It returns why the breaker
// stays open; "" when calls may be made again, the first of them alone. What the account
// has left says nothing about that: a provider may tell it wrongly, or not at all.
func (c *Client) check(ctx context.Context, p *Provider) (engagement.FailureCause, string) {
	// Either budget may pay for it, since both kinds of look-ups wait for it.
	money := newPurse(c.parts.Tweets, queue.ClassBatch, 0, 0)
	if err := money.take(ctx, 1, nil); err != nil {
		money = newPurse(c.parts.Tweets, queue.ClassRefresh, 0, 0)
		if err := money.take(ctx, 1, nil); err != nil {
			c.parts.Log.Info().Err(err).Str("provider", p.Name).Msg("the provider is not checked")
			return engagement.CauseOutage, reasonOutage
		}
	}
	g := &pacedGate{pace: p.Refresh, clock: c.parts.Clock}
	_, cost, err := c.try(ctx, p, g, &g.began)
	c.parts.Log.Info().Err(err).Str("provider", p.Name).Msg("checked the provider")
	if cost.calls > 0 {
		recording, cancel := context.WithTimeout(context.WithoutCancel(ctx), shareTimeout)
		defer cancel()
		if err := c.parts.Tweets.RecordCalls(recording, money.refresh, cost.usage(p)); err != nil {
			c.parts.Log.Warn().Err(err).Str("provider", p.Name).Msg("recording the cost of a check failed")
		} else {
			money.closed(0, true)
		}
	}
	if err := money.end(ctx); err != nil {
		c.parts.Log.Warn().Err(err).Msg("what was set aside for a check counts as spent for some minutes")
	}
	switch twitter.Kind(err) {
	case twitter.KindOK, twitter.KindRateLimited: // which the pause takes care of
		p.Limiter.ProbeNext(ctx)
		return "", ""
	case twitter.KindOutOfCredit:
		return engagement.CauseOutOfCredit, reasonNoCredit
	case twitter.KindUnauthorized:
		return engagement.CauseKeyRefused, reasonKeyRefused
	case twitter.KindBadRequest:
		return engagement.CauseOutage, reasonRefusesAll + ": " + err.Error()
	default:
		return engagement.CauseOutage, reasonOf(err)
	}
}

// reasonOf says for people what is wrong with a provider that is at fault.
func reasonOf(err error) string {
	if errors.Is(err, ErrUnusable) {
		return reasonUnusable
	}
	return reasonOutage + ": " + err.Error()
}
