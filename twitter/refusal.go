package twitter

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// refusal gives an HTTP status other than 200 its kind, by what both providers
// have in common.
func refusal(status int, header http.Header, body []byte) error {
	said := messageOf(body)
	switch {
	case status == http.StatusTooManyRequests:
		return &RateLimitError{After: retryAfter(header, time.Now()), Message: said}
	case status == http.StatusPaymentRequired:
		return fmt.Errorf("%w (status %d): %s", ErrOutOfCredit, status, said)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%w (status %d): %s", ErrUnauthorized, status, said)
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= http.StatusInternalServerError:
		return fmt.Errorf("%w (status %d): %s", ErrProviderFault, status, said)
	case status >= http.StatusBadRequest:
		return &BadRequestError{Status: status, Message: said}
	case status >= http.StatusMultipleChoices:
		return fmt.Errorf("%w (status %d): redirected, which is not followed; is the base URL right?", ErrProviderFault, status)
	default:
		return fmt.Errorf("%w: status %d", ErrMalformed, status)
	}
}

// xRefusal is refusal for X, which says in words when money is the reason: a used
// up cap comes as 429 with the rate limit's headers still full, and a spending
// limit as 403 or 429.
func xRefusal(status int, header http.Header, body []byte) error {
	var problem struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	// A body that is no such problem leaves the fields empty, which is right.
	_ = json.Unmarshal(body, &problem)
	kind := problem.Type[strings.LastIndexByte(problem.Type, '/')+1:]
	money := kind == "usage-capped" || kind == "credits" ||
		problem.Title == "UsageCapExceeded" || problem.Title == "CreditsDepleted" ||
		strings.Contains(strings.ToLower(problem.Title+" "+problem.Detail), "spending limit")
	if money && (status == http.StatusForbidden || status == http.StatusTooManyRequests) {
		return fmt.Errorf("%w (status %d): %s", ErrOutOfCredit, status, messageOf(body))
	}
	return refusal(status, header, body)
}

const (
	leastRetryAfter = time.Second
	mostRetryAfter  = 15 * time.Minute // the longest window of either provider
)

// retryAfter returns how long a 429 asks to wait: by Retry-After (seconds or a
// date) or by x-rate-limit-reset (Unix seconds), whichever is later. Zero when it
// names neither. Times are taken against the answer's own Date, so that this
// machine's clock does not matter; now stands in for a missing one.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	var longest time.Duration
	var given bool
	until := func(d time.Duration) { longest, given = max(longest, d), true }

	after := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseFloat(after, 64); err == nil && seconds >= 0 {
		until(time.Duration(min(seconds, mostRetryAfter.Seconds()) * float64(time.Second)))
	} else if date, err := http.ParseTime(after); err == nil {
		until(date.Sub(now))
	}
	if reset, err := strconv.ParseInt(h.Get("X-Rate-Limit-Reset"), 10, 64); err == nil {
		until(time.Unix(reset, 0).Sub(now))
	}
	if !given {
		return 0
	}
	return min(max(longest, leastRetryAfter), mostRetryAfter)
}
