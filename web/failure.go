package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"gorgone/alert"
	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
	"gorgone/store/access"
	"gorgone/store/postgres"
	"gorgone/web/answers"
	"gorgone/web/auth"
)

// failure is an error as the caller is told it.
type failure struct {
	status     int
	code       string // for programs
	message    string // for people
	retryAfter time.Duration
	cap        *answers.Cap // that is used up; nil: it is not for that
	cause      error        // for the log only; may be nil
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

// Retry-After, when nothing better is known.
const (
	retryUnavailable = 5 * time.Second
	retryFull        = 10 * time.Second
)

// tweetNotFound is the response for a tweet that does not exist, and for one that the
// caller may not know of.
func tweetNotFound() *failure {
	return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such tweet"}
}

// failureOf is the one place that gives errors a status.
func failureOf(err error) *failure {
	var (
		known   *failure
		limit   *store.LimitError
		stopped *refresh.StoppedError
		tooLong *http.MaxBytesError
	)
	reason, refused := auth.Refused(err)
	switch {
	case errors.As(err, &known):
		return known
	case refused:
		return refusal(reason, auth.Status(err))
	case errors.As(err, &limit) && limit.Cap != nil:
		return &failure{status: http.StatusPaymentRequired, code: "cap", message: limit.Reason, retryAfter: limit.After, cap: answers.CapOf(*limit.Cap)}
	case errors.As(err, &limit):
		return &failure{status: http.StatusTooManyRequests, code: "limit", message: limit.Reason, retryAfter: limit.After}
	case errors.As(err, &stopped):
		return causeFailure(stopped.Cause, stopped.Error(), stopped.After)
	case errors.As(err, &tooLong):
		return &failure{status: http.StatusRequestEntityTooLarge, code: "too_large", message: fmt.Sprintf("the body is larger than %d bytes", tooLong.Limit)}
	case errors.Is(err, store.ErrTweetNotFound):
		return tweetNotFound()
	case errors.Is(err, store.ErrNotTracked):
		return &failure{status: http.StatusConflict, code: "not_tracked", message: store.ErrNotTracked.Error()}
	case errors.Is(err, store.ErrRequestNotFound):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such refresh request"}
	case errors.Is(err, store.ErrZoneNotFound):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such zone"}
	case errors.Is(err, access.ErrClientNotFound):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such client"}
	case errors.Is(err, alert.ErrRuleNotFound):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such alert rule"}
	case errors.Is(err, alert.ErrWebhookNotFound):
		return &failure{status: http.StatusNotFound, code: "not_found", message: "there is no such webhook"}
	case errors.Is(err, access.ErrRuleNotFound):
		return &failure{status: http.StatusNotFound, code: "unknown_rule", message: err.Error()}
	case errors.Is(err, queue.ErrFull):
		return &failure{status: http.StatusServiceUnavailable, code: "busy", message: "too many refreshes are waiting", retryAfter: retryFull, cause: err}
	case errors.Is(err, queue.ErrNotConnected):
		return queueUnavailable(nil)
	case errors.Is(err, refresh.ErrQueueUnavailable):
		return queueUnavailable(err)
	case errors.Is(err, context.Canceled):
		// The server is stopping, or the caller has left and does not read this.
		return &failure{status: http.StatusServiceUnavailable, code: "stopping", message: "the request was cancelled", retryAfter: retryUnavailable}
	case postgres.BadValue(err):
		// A check before should have named it; the log says what the database says.
		return &failure{status: http.StatusBadRequest, code: "bad_request", message: "the database refuses a value of the request", cause: err}
	case postgres.Unavailable(err), errors.Is(err, auth.ErrUnavailable):
		return &failure{status: http.StatusServiceUnavailable, code: "unavailable", message: "the database cannot be reached", retryAfter: retryUnavailable, cause: err}
	default:
		return &failure{status: http.StatusInternalServerError, code: "internal", message: "internal error; the server's log has the details under the request id", cause: err}
	}
}

// queueUnavailable is the response while NATS cannot be reached. The cause, if any, is logged.
func queueUnavailable(err error) *failure {
	return &failure{status: http.StatusServiceUnavailable, code: "queue_away", message: "the queue cannot be reached", retryAfter: retryUnavailable, cause: err}
}

// causeFailure is a refresh that failed for a cause. A retryAfter of zero or less is not known.
func causeFailure(cause engagement.FailureCause, reason string, retryAfter time.Duration) *failure {
	effect := cause.Effect()
	f := &failure{status: effect.Status, code: effect.Code, message: reason, retryAfter: effect.RetryAfter}
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
