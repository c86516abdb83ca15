package worker

import (
	"context"
	"errors"

	"gorgone/queue"
	"gorgone/twitter"
)

// verdict is what to do with the tweets that a look-up left unanswered.
type verdict int

const (
	// done: there are none, or each is answered for by itself.
	done verdict = iota
	// wait: the provider's rate limit. All replicas pause; the tweets are held
	// and asked for again, if the pause ends within the lease. Nobody's failure.
	wait
	// park: nobody may call now, and it is not the tweets' fault (a stop, the
	// end of the lease, somebody who has answered them, no credit, a refused key, an open circuit breaker). The
	// claim is given back.
	park
	// leave: another worker goes on with the batch. Nothing of it is touched any more.
	leave
	// elsewhere: the provider is left alone from now on, and another can be asked
	// at once.
	elsewhere
	// retry: a fault of the provider or of the way to it. Asked again after a
	// back-off; when that fails too often, the tweets back off.
	retry
	// split: the provider refuses the call because of something in it. The
	// tweets are asked for in halves until the culprit stands alone.
	split
	// fail: the tweets back off, each on its own row.
	fail
)

// maxTries is how often a group of tweets is asked for before its rows back off.
const maxTries = 3

// judge decides, and knows whether another provider can be asked.
func (w *Worker) judge(err error, tries, left int) verdict {
	_, none := w.usable()
	return judge(err, tries, left, none == nil)
}

// judge decides by the error of a look-up. tries is how often these tweets were
// asked for, this time included; left is how many have no answer. other tells that
// there is a provider whose circuit breaker lets calls through.
func judge(err error, tries, left int, other bool) verdict {
	if err == nil || left == 0 {
		return done
	}
	switch twitter.Kind(err) {
	case twitter.KindRateLimited:
		return wait
	case twitter.KindOutOfCredit, twitter.KindUnauthorized:
		return parkUnless(other)
	case twitter.KindCanceled:
		return park
	case twitter.KindBadRequest:
		if left > 1 {
			return split
		}
		return fail
	case twitter.KindFault, twitter.KindMalformed:
		if tries < maxTries {
			return retry
		}
		return fail
	}
	if _, open := errors.AsType[*queue.OpenError](err); open {
		return parkUnless(other)
	}
	if _, held := errors.AsType[*HoldError](err); held {
		return park
	}
	if errors.Is(err, errTaken) {
		return leave
	}
	if errors.Is(err, errStopping) || errors.Is(err, errLeaseEnds) || errors.Is(err, errUnsure) ||
		errors.Is(err, queue.ErrPaceDeadline) || errors.Is(err, context.DeadlineExceeded) {
		return park // the gate let no call begin
	}
	return fail
}

func parkUnless(other bool) verdict {
	if other {
		return elsewhere
	}
	return park
}
