package twitter

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// client is what the clients of both providers have in common. A copy of it
// shares connections and what was learnt.
type client struct {
	*caller

	gate   Gate // nil: no waiting
	maxIDs *idLimit
	path   func(ids []string) string
	body   func(ids []string) string // of a POST; nil: it is a GET
	decode func(body []byte, p *page) error
	// limit reads the number of ids that the provider takes from its refusal of asked
	// ids; 0 when the refusal is not about that.
	limit func(refusal *BadRequestError, asked int) int
}

// MaxIDs returns how many ids go into one call now: the setting, or what the
// provider turned out to take.
func (c *client) MaxIDs() int { return c.maxIDs.get() }

// Lookup asks for the counters of tweets, in as many calls as needed, one after
// the other. Text that is not a tweet id is unresolved and not sent; an id given
// twice is sent once.
//
// When a call fails, no further one is made: what was learnt before is in the
// answer, the other ids are unresolved, and the error is the call's, the gate's or
// the context's. A refusal that only says how many ids a call may hold, or that the
// request is too long, is learnt from, and the ids are sent again in
// smaller calls. See [client.Larger] for how the number rises again.
func (c *client) Lookup(ctx context.Context, ids []string) (Answer, error) {
	a := Answer{Provider: c.provider}
	rest := a.checked(ids)
	for len(rest) > 0 {
		n := min(c.MaxIDs(), len(rest))
		err := c.ask(ctx, rest[:n], &a, func(*exchange) {})
		if c.learn(err, n) {
			continue
		}
		if err != nil {
			a.giveUp(rest[:n], rest[n:], err)
			return a, err
		}
		rest = rest[n:]
	}
	return a, nil
}

// LookupOnce is Lookup in one call, for no more ids than [client.MaxIDs] or
// [client.Larger] allows. When the provider takes fewer now, the error is
// [ErrTooManyIDs], and MaxIDs says how many.
func (c *client) LookupOnce(ctx context.Context, ids []string) (Answer, error) {
	a := Answer{Provider: c.provider}
	ids = a.checked(ids)
	if len(ids) == 0 {
		return a, nil
	}
	err := c.ask(ctx, ids, &a, func(*exchange) {})
	if c.learn(err, len(ids)) {
		err = fmt.Errorf("%w: %w", ErrTooManyIDs, err)
	}
	if err != nil {
		a.giveUp(ids, nil, err)
	}
	return a, err
}

// ask makes one call for ids and adds to the answer what it says of them.
func (c *client) ask(ctx context.Context, ids []string, a *Answer, seen func(*exchange)) error {
	p := newPage(ids)
	var at time.Time
	what := question{path: c.path(ids), ids: len(ids)}
	if c.body != nil {
		what.body = c.body(ids)
	}
	err := c.get(ctx, c.gate, what, func(body []byte) (decoded, error) {
		err := c.decode(body, p)
		return decoded{p.returned, p.unreadable()}, err
	}, func(x *exchange) {
		if x.begun {
			a.Calls++
			a.Took += x.call.Duration
		}
		at = x.at
		if x.lost() {
			a.Lost += len(ids)
			if ListPrice(c.provider).DayPass {
				a.LostReads = append(a.LostReads, readsOf(ids, at)...)
			}
		}
		seen(x)
	})
	if err != nil {
		return err
	}
	a.Billed += max(p.returned, c.leastBilled)
	p.addTo(a, at)
	c.took(len(ids))
	return nil
}

// readsOf are the tweets of a call that began at a time.
func readsOf(ids []string, at time.Time) []Read {
	reads := make([]Read, 0, len(ids))
	for _, id := range ids {
		if n, err := strconv.ParseInt(id, 10, 64); err == nil { // always: the ids were checked
			reads = append(reads, Read{TweetID: n, At: at})
		}
	}
	return reads
}

// maxProbeBody bounds the raw answer in a [ProbeResult].
const maxProbeBody = 64 << 10

// ProbeResult is what one call showed, for a person to look at.
type ProbeResult struct {
	Provider string
	Status   int         // HTTP status; 0 when there was no answer
	Header   http.Header // those of the answer that speak of limits, content and time
	Body     []byte      // the first 64 KiB
	Duration time.Duration
	Answer   Answer
	Err      error
}

// Probe makes one call for at most MaxIDs ids, and returns the raw answer beside
// what is understood of it. It costs what a look-up costs.
func (c *client) Probe(ctx context.Context, ids []string) ProbeResult {
	result := ProbeResult{Provider: c.provider, Answer: Answer{Provider: c.provider}}
	valid := result.Answer.checked(ids)
	if n := len(valid); n == 0 || n > c.MaxIDs() {
		result.Err = fmt.Errorf("probe takes 1 to %d tweet ids, got %d", c.MaxIDs(), n)
		return result
	}
	result.Err = c.ask(ctx, valid, &result.Answer, func(x *exchange) {
		result.Status, result.Duration = x.call.Status, x.call.Duration
		result.Header = telling(x.header)
		if x.body == nil {
			return
		}
		result.Body = append([]byte(nil), x.body.Bytes()[:min(x.body.Len(), maxProbeBody)]...)
	})
	if result.Err != nil {
		result.Answer.giveUp(valid, nil, result.Err)
	}
	return result
}

// telling picks the headers of an answer that [Probe] shows. Others may hold
// cookies.
func telling(h http.Header) http.Header {
	picked := make(http.Header)
	for _, name := range []string{
		"Content-Type", "Date", "Retry-After",
		"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset",
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset",
	} {
		if values := h.Values(name); len(values) > 0 {
			picked[name] = values
		}
	}
	return picked
}
