package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"gorgone/queue"
	"gorgone/store"
	"gorgone/web/auth"
)

// failure is an error that a caller is told of.
type failure struct {
	status     int
	code       string // for programs
	message    string // for people
	retryAfter time.Duration
	cause      error // for our log only; may be nil
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.message + ": " + f.cause.Error()
	}
	return f.message
}

func (f *failure) Unwrap() error { return f.cause }

func badRequest(format string, a ...any) error {
	return &failure{status: http.StatusBadRequest, code: "bad_request", message: fmt.Sprintf(format, a...)}
}

// Times after which it makes sense to ask again, when nothing better is known.
const (
	retryUnavailable = 5 * time.Second
	retryFull        = 10 * time.Second
	retryPaused      = 15 * time.Second
)

// noSuchTweet is the answer for a tweet that does not exist, and the same for one
// that the caller may not know of.
func noSuchTweet() *failure {
	return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such tweet"}
}

// failureOf is the one place where errors get a status.
func failureOf(err error) *failure {
	var (
		known   *failure
		limit   *store.LimitError
		tooLong *http.MaxBytesError
	)
	reason, refused := auth.Refused(err)
	switch {
	case errors.As(err, &known):
		return known
	case refused:
		return refusal(reason, err)
	case errors.As(err, &limit):
		return &failure{status: http.StatusTooManyRequests, code: "limit", message: limit.Reason, retryAfter: limit.After}
	case errors.As(err, &tooLong):
		return &failure{status: http.StatusRequestEntityTooLarge, code: "too_large", message: fmt.Sprintf("the body is larger than %d bytes", tooLong.Limit)}
	case errors.Is(err, store.ErrTweetNotFound):
		return noSuchTweet()
	case errors.Is(err, store.ErrNotTracked):
		return &failure{status: http.StatusConflict, code: "not_tracked", message: store.ErrNotTracked.Error()}
	case errors.Is(err, store.ErrRequestNotFound):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such refresh request"}
	case errors.Is(err, store.ErrZoneNotFound):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such zone"}
	case errors.Is(err, store.ErrRuleNotFound):
		return &failure{status: http.StatusNotFound, code: "unknown_rule", message: "no active zone has this filter rule"}
	case errors.Is(err, queue.ErrFull):
		return &failure{status: http.StatusServiceUnavailable, code: "busy", message: "too many refreshes are waiting", retryAfter: retryFull, cause: err}
	case errors.Is(err, context.Canceled):
		// The caller is gone, or we are stopping; in the first case nobody reads it.
		return &failure{status: http.StatusServiceUnavailable, code: "stopping", message: "the request was ended", retryAfter: retryUnavailable}
	case store.Unavailable(err), errors.Is(err, auth.ErrUnavailable):
		return &failure{status: http.StatusServiceUnavailable, code: "unavailable", message: "the database can not be reached", retryAfter: retryUnavailable, cause: err}
	default:
		return &failure{status: http.StatusInternalServerError, code: "internal", message: "something went wrong here; the log knows more by the request's id", cause: err}
	}
}

// refusal is the answer to a caller who may not do what it asked for.
func refusal(reason auth.Reason, err error) *failure {
	f := &failure{status: auth.Status(err), code: string(reason)}
	switch f.status {
	case http.StatusForbidden:
		f.message = "you may not do this"
	case http.StatusNotFound:
		f.code, f.message = "not_found", "there is no such zone"
	case http.StatusTooManyRequests:
		f.message = "too many refused requests from your address"
	default:
		f.message = "valid credentials are needed"
	}
	return f
}

// queueAway is the answer while NATS can not be reached.
func queueAway(err error) *failure {
	return &failure{status: http.StatusServiceUnavailable, code: "queue_away", message: "the queue can not be reached", retryAfter: retryUnavailable, cause: err}
}

// notAnswered is why a refresh has no answer, as a status.
func notAnswered(cause queue.Cause, reason string, retryAfter time.Duration) *failure {
	f := &failure{code: string(cause), message: reason}
	switch cause {
	case queue.CauseOutOfCredit:
		f.status = http.StatusPaymentRequired
	case queue.CauseRateLimited:
		f.status, f.retryAfter = http.StatusTooManyRequests, retryPaused
	case queue.CauseDatabase, queue.CauseLate, queue.CauseOutage, queue.CausePaused:
		f.status, f.retryAfter = http.StatusServiceUnavailable, retryUnavailable
	case queue.CauseKeyRefused, queue.CauseProvider:
		f.status = http.StatusBadGateway
	default:
		f.status = http.StatusBadGateway
	}
	if retryAfter > 0 {
		f.retryAfter = retryAfter
	}
	return f
}

// setRetryAfter writes a Retry-After of whole seconds, at least one.
func setRetryAfter(h http.Header, after time.Duration) {
	if after > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
	}
}
