package twitter

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What a call can fail with, beside [RateLimitError] and [BadRequestError]. The
// errors returned wrap these and say more; compare with errors.Is.
var (
	// ErrOutOfCredit is returned when the account can't pay for the call, or has
	// used up its cap. Nothing works until credits are added or the period ends.
	ErrOutOfCredit = errors.New("out of credit")
	// ErrUnauthorized is returned when the key is missing, wrong or not allowed.
	ErrUnauthorized = errors.New("not authorised")
	// ErrProviderFault is returned when the provider, or the way to it, failed: 5xx,
	// connection trouble, time-outs, cut-off answers, success that reports an error.
	ErrProviderFault = errors.New("provider fault")
	// ErrMalformed is returned for an answer, or an element of one, that is not what
	// the provider's documents promise.
	ErrMalformed = errors.New("malformed answer")
)

// RateLimitError is returned when the provider refuses a call because there were
// too many. The refused call did no work and is not billed.
type RateLimitError struct {
	// After is how long to wait, from the provider's headers, within 1 s and 15 min, or
	// 24 h for [LimitDay]. Zero: the provider did not say, so use a default.
	After time.Duration
	// Limit names the limit that is used up, where it is not that of a short window.
	Limit string
	// Message is the provider's own, bounded.
	Message string
}

// LimitDay is the limit of X for the calls of an app, or a user of it, in 24 hours.
const LimitDay = "the limit of calls in 24 hours is used up"

func (e *RateLimitError) Error() string {
	if e.Limit != "" {
		return fmt.Sprintf("rate limited for %s, %s: %s", e.After, e.Limit, e.Message)
	}
	if e.After == 0 {
		return fmt.Sprintf("rate limited: %s", e.Message)
	}
	return fmt.Sprintf("rate limited for %s: %s", e.After, e.Message)
}

// BadRequestError is returned when the provider finds the request itself at
// fault. The same request fails again; with several ids, one of them may be why.
type BadRequestError struct {
	Status  int    // HTTP status
	Message string // the provider's own, bounded
}

func (e *BadRequestError) Error() string {
	return fmt.Sprintf("bad request (status %d): %s", e.Status, e.Message)
}

// Retryable reports whether the same call may well succeed later without
// anybody's doing: after a rate limit, a provider's fault or a malformed answer.
// It is false for nil, for errors that need a person (credit, key, request) and
// for a context that ended.
func Retryable(err error) bool {
	switch Kind(err) {
	case KindRateLimited, KindFault, KindMalformed:
		return true
	default:
		return false
	}
}

// Kinds of outcome of a call, as [Kind] tells them.
const (
	KindOK           = "ok"
	KindRateLimited  = "rate_limited"
	KindOutOfCredit  = "out_of_credit"
	KindUnauthorized = "unauthorized"
	KindBadRequest   = "bad_request"
	KindFault        = "fault"
	KindMalformed    = "malformed"
	KindCanceled     = "canceled" // the caller's context ended
	KindOther        = "other"    // of no call: a gate's own error
)

// Kind names the kind of an error of this package in one word, fit for a metric
// label. There are as many values as there are Kind constants.
func Kind(err error) string {
	_, rate := errors.AsType[*RateLimitError](err)
	_, bad := errors.AsType[*BadRequestError](err)
	switch {
	case err == nil:
		return KindOK
	case rate:
		return KindRateLimited
	case errors.Is(err, ErrOutOfCredit):
		return KindOutOfCredit
	case errors.Is(err, ErrUnauthorized):
		return KindUnauthorized
	case bad:
		return KindBadRequest
	case errors.Is(err, ErrProviderFault):
		return KindFault
	case errors.Is(err, ErrMalformed):
		return KindMalformed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return KindCanceled
	default:
		return KindOther
	}
}
