package lookup

import (
	"context"
	"errors"

	"gorgone/throttle"
	"gorgone/twitter"
)

// RetryDecision is what to do with the tweets that a step of a look-up left
// unanswered.
type RetryDecision int

const (
	// Done means that there are none, or each is answered for by itself.
	Done RetryDecision = iota
	// Wait follows the provider's rate limit. All replicas pause; the tweets are kept and asked
	// for again, if the pause ends in time. Not counted as a failure.
	Wait
	// Park means that no call can be made now, and it is not the tweets' fault (a stop, the end of
	// the lease, tweets answered meanwhile, a provider that answers nothing, an open circuit
	// breaker). The claim is released.
	Park
	// Leave means that another worker goes on with the tweets. Nothing of them is touched.
	Leave
	// Elsewhere means that the provider is not called any more for now, and another can be asked
	// at once.
	Elsewhere
	// Retry follows a fault of the provider or of the way to it. Asked again after a back-off;
	// when that fails too often, the tweets back off.
	Retry
	// Confirm means that it is not known whether the provider is at fault or the tweets are.
	// One that answered lately is asked for, to find out.
	Confirm
	// Split means that the call fails because of something in it, while the provider answers
	// others. The tweets are asked for in halves until the culprit stands alone.
	Split
	// Fail lets the tweets back off, each on its own row.
	Fail
)

// maxTries is how often a group of tweets is asked for before it has to be known whose
// fault it is that there is no answer; fewTries is enough when the provider has answered
// others since the first try.
const (
	maxTries = 3
	fewTries = 2
)

// failing is what the decision about a call rests on.
type failing struct {
	err      error
	tries    int  // how often these tweets were asked for, this time included
	left     int  // how many have no answer
	suspect  bool // they are a half of a call that failed while others were answered
	answered bool // the provider has answered others since the first of these calls failed
	other    bool // there is a provider whose circuit breaker lets calls through
}

// decide decides, and finds out whose fault a failure is when that matters.
func (c *Client) decide(ctx, stop context.Context, r Request, g group, got *response) (RetryDecision, trials) {
	of := func() failing {
		_, none := available(r.order)
		s := failing{err: got.err, tries: g.tries, left: len(got.failed), suspect: g.suspect(), other: none == nil}
		if got.provider != nil {
			s.answered = c.health[got.provider].answeredSince(g.since)
		}
		return s
	}
	s := of()
	if decision := s.decide(); decision != Confirm {
		return decision, trials{}
	}
	spent, atFault, err := c.confirm(ctx, stop, r, got.provider, g.since, got.err)
	s = of()
	switch {
	case err != nil: // it could not be found out
		s.err = err
		if decision := s.decide(); decision != Confirm && decision != Retry {
			got.err = err
			return decision, spent
		}
		return Park, spent
	case atFault:
		return parkUnless(s.other), spent
	default:
		return s.blame(), spent
	}
}

// decide decides by the error of a call.
func (s failing) decide() RetryDecision {
	if s.err == nil || s.left == 0 {
		return Done
	}
	switch twitter.Kind(s.err) {
	case twitter.KindRateLimited:
		return Wait
	case twitter.KindCanceled:
		return Park
	case twitter.KindBadRequest:
		if s.answered {
			return s.blame()
		}
		return Confirm
	case twitter.KindFault, twitter.KindMalformed, twitter.KindOutOfCredit, twitter.KindUnauthorized:
		return s.failed()
	}
	if _, open := errors.AsType[*throttle.OpenError](s.err); open {
		return parkUnless(s.other)
	}
	if _, paused := errors.AsType[*OperatorPauseError](s.err); paused {
		return Park
	}
	if errors.Is(s.err, ErrTakenOver) {
		return Leave
	}
	if errors.Is(s.err, ErrStopping) || errors.Is(s.err, errLeaseEnds) || errors.Is(s.err, ErrOwnershipUnknown) || errors.Is(s.err, errUnaffordable) ||
		errors.Is(s.err, errTimeInDoubt) || errors.Is(s.err, throttle.ErrDeadline) || errors.Is(s.err, context.DeadlineExceeded) {
		return Park // the gate let no call begin
	}
	return Fail
}

// failed decides about a call that may succeed when it is made again.
func (s failing) failed() RetryDecision {
	switch {
	case errors.Is(s.err, ErrImplausible):
		if s.tries < maxTries {
			return Retry
		}
		return Fail
	case s.answered && (s.suspect || s.tries >= fewTries):
		return s.blame()
	case s.tries >= maxTries:
		return Confirm
	default:
		return Retry
	}
}

// blame decides about tweets that are at fault.
func (s failing) blame() RetryDecision {
	if s.left > 1 {
		return Split
	}
	return Fail
}

func parkUnless(other bool) RetryDecision {
	if other {
		return Elsewhere
	}
	return Park
}
