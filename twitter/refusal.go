package twitter

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// creditText matches what providers say when an account cannot pay, or has used up its
// cap: the status beside it varies (200, 400, 401, 402, 403, 429), the words do not.
var creditText = regexp.MustCompile(`(?i)credits? (is|are) not enough|not enough credits?|insufficient[ _-](credit|balance|funds)|` +
	`(out of|no|not have any|run out of|used up) credits?|credits?[ _]?(depleted|exhausted)|please recharge|spending limit`)

// withoutCredit returns the error of an answer that says that the account cannot pay,
// whatever its status, and nil for any other.
func withoutCredit(status int, body []byte) error {
	if said := messageOf(body); creditText.MatchString(said) {
		return fmt.Errorf("%w (status %d): %s", ErrOutOfCredit, status, said)
	}
	return nil
}

// rateText matches what providers say when there were too many calls, beside another status
// than 429.
var rateText = regexp.MustCompile(`(?i)\brate[ _-]?limit|too many requests|\bqps limit|\bthrottl(ed|ing)\b`)

// limitedInWords returns the error of an answer that says that there were too many calls,
// whatever its status, and nil for any other.
func limitedInWords(header http.Header, body []byte) error {
	if said := messageOf(body); rateText.MatchString(said) {
		return rateLimited(header, said, time.Now())
	}
	return nil
}

// unreadable gives its kind to the error of decoding a 200: the answer may say in words why
// it has no tweets, or be none of the provider's.
func unreadable(header http.Header, body []byte, err error) error {
	if err := cmp.Or(withoutCredit(http.StatusOK, body), limitedInWords(header, body)); err != nil {
		return err
	}
	encoding := header.Get("Content-Encoding")
	switch {
	case encoding != "":
		return fmt.Errorf("%w (it is encoded as %s, which was not asked for)", err, bounded(encoding))
	case bytes.HasPrefix(body, []byte("\x1f\x8b")):
		return fmt.Errorf("%w (it is compressed and does not say so)", err)
	case fromTheWay(header, body) && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		return fmt.Errorf("%w (status %d): %s", ErrProviderFault, http.StatusOK, pageOfTheWay)
	default:
		return err
	}
}

const pageOfTheWay = "not the provider's own answer, but a page of a node in front of it"

// fromTheWay reports whether an answer comes from a node between here and the provider
// (an edge node's challenge, a proxy's page), which knows nothing of keys, accounts and
// tweets: providers answer in JSON.
func fromTheWay(header http.Header, body []byte) bool {
	return header.Get("Cf-Mitigated") != "" || strings.HasPrefix(strings.TrimSpace(header.Get("Content-Type")), "text/html") ||
		bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}

// refusal gives an HTTP status other than 200 its kind, by what both providers
// have in common.
func refusal(status int, header http.Header, body []byte) error {
	said := messageOf(body)
	aboutKey := status == http.StatusUnauthorized || status == http.StatusPaymentRequired || status == http.StatusForbidden
	switch {
	case status == http.StatusProxyAuthRequired:
		return fmt.Errorf("%w (status %d): a proxy on the way wants a login; see HTTPS_PROXY and HTTP_PROXY", ErrProviderFault, status)
	case status >= http.StatusBadRequest && status != http.StatusTooManyRequests && !tooLong(status) && fromTheWay(header, body):
		return fmt.Errorf("%w (status %d): %s", ErrProviderFault, status, pageOfTheWay)
	}
	if err := withoutCredit(status, body); err != nil {
		return err
	}
	if status >= http.StatusBadRequest && status != http.StatusTooManyRequests {
		if err := limitedInWords(header, body); err != nil {
			return err
		}
	}
	switch {
	case status == http.StatusTooManyRequests:
		return rateLimited(header, said, time.Now())
	case status == http.StatusPaymentRequired:
		return fmt.Errorf("%w (status %d): %s", ErrOutOfCredit, status, said)
	case aboutKey:
		return fmt.Errorf("%w (status %d): %s", ErrUnauthorized, status, said)
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status >= http.StatusInternalServerError:
		return fmt.Errorf("%w (status %d): %s", ErrProviderFault, status, said)
	case status >= http.StatusBadRequest:
		return &BadRequestError{Status: status, Message: said}
	case status >= http.StatusMultipleChoices:
		return fmt.Errorf("%w (status %d): redirected%s, which is not followed; is the base URL right?", ErrProviderFault, status, target(header))
	default:
		return fmt.Errorf("%w: status %d", ErrMalformed, status)
	}
}

// tooLong reports whether a status says that the request is too long: its URL, which has the
// ids, or its headers.
func tooLong(status int) bool {
	return status == http.StatusRequestEntityTooLarge || status == http.StatusRequestURITooLong || status == http.StatusRequestHeaderFieldsTooLarge
}

// target names the host that an answer redirects to, if it names one: the rest of the
// address may repeat what was asked for.
func target(header http.Header) string {
	to, err := url.Parse(header.Get("Location"))
	if err != nil || to.Host == "" {
		return ""
	}
	return " to " + bounded(to.Scheme+"://"+to.Host)
}

// xRefusal is refusal for X, which says in words when money is the reason: a used
// up cap comes as 429 with the rate limit's headers still full, and a spending
// limit as 403 or 429, say.
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
	if money {
		return fmt.Errorf("%w (status %d): %s", ErrOutOfCredit, status, messageOf(body))
	}
	return refusal(status, header, body)
}

const (
	leastRetryAfter = time.Second
	mostRetryAfter  = 15 * time.Minute // the longest window of either provider, but for a day's
	mostDayLimit    = 24 * time.Hour
)

// rateLimited returns the error of a 429: of the window that is used up, if the headers
// say so of one.
func rateLimited(h http.Header, message string, now time.Time) *RateLimitError {
	if after := dayLimit(h, now); after > 0 {
		return &RateLimitError{After: after, Limit: LimitDay, Message: message}
	}
	return &RateLimitError{After: retryAfter(h, now), Message: message}
}

// dayLimit returns how long a used up limit of calls in 24 hours lasts; 0: none is.
func dayLimit(h http.Header, now time.Time) (longest time.Duration) {
	now = answeredAt(h, now)
	for _, of := range []string{"X-App-Limit-24hour-", "X-User-Limit-24hour-"} {
		if left, err := strconv.ParseFloat(h.Get(of+"Remaining"), 64); err != nil || left > 0 {
			continue
		}
		if until, ok := resetTime(h.Get(of+"Reset"), now); ok {
			longest = max(longest, until.Sub(now))
		}
	}
	return min(longest, mostDayLimit)
}

// retryAfter returns how long a 429 asks to wait: by Retry-After (seconds or a
// date) or by x-rate-limit-reset (Unix seconds), whichever is later. Zero when it
// names neither. Times are taken against the answer's own Date, so that this
// machine's clock does not matter; now stands in for a missing one.
func retryAfter(h http.Header, now time.Time) time.Duration {
	now = answeredAt(h, now)
	var longest time.Duration
	var given bool
	until := func(at time.Time) { longest, given = max(longest, at.Sub(now)), true }

	after := strings.TrimSpace(h.Get("Retry-After"))
	if at, ok := resetTime(after, now); ok {
		until(at)
	} else if date, err := http.ParseTime(after); err == nil {
		until(date)
	}
	for _, name := range []string{"X-Rate-Limit-Reset", "X-Ratelimit-Reset", "Ratelimit-Reset"} {
		if at, ok := resetTime(h.Get(name), now); ok {
			until(at)
		}
	}
	if !given {
		return 0
	}
	return min(max(longest, leastRetryAfter), mostRetryAfter)
}

// answeredAt is when an answer was made, by its own Date.
func answeredAt(h http.Header, now time.Time) time.Time {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return date
	}
	return now
}

// resetTime reads a time that is given as seconds from now on, as Unix seconds, or in
// parts of a second since 1970: which of them, its size tells.
func resetTime(s string, now time.Time) (time.Time, bool) {
	const (
		unix   = 1e9  // from here on Unix seconds, of 2001 and later
		millis = 1e11 // from here on milliseconds
		micros = 1e14
		most   = 1e17 // of microseconds; a larger one is no time
	)
	n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	switch {
	case err != nil && !math.IsInf(n, 1), math.IsNaN(n), n < 0:
		return time.Time{}, false
	case n < unix:
		return now.Add(time.Duration(n * float64(time.Second))), true
	case n < millis:
		return time.Unix(int64(n), 0), true
	case n < micros:
		return time.UnixMilli(int64(n)), true
	case n < most:
		return time.UnixMicro(int64(n)), true
	default:
		return now.Add(mostDayLimit), true
	}
}
