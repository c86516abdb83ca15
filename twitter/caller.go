package twitter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"gorgone/engagement"
)

// maxBody bounds an answer. A hundred of the fattest tweets take about 2 MB.
const maxBody = 8 << 20

// caller makes the HTTP calls of one client: it owns the connections and knows
// what all providers have in common.
type caller struct {
	config   Config
	provider string
	http     *http.Client
	// refusal gives the error of a status other than 200 its kind.
	refusal func(status int, header http.Header, body []byte) error
	header  func(http.Header, string) // puts the key where the provider wants it
	buffers sync.Pool                 // of *bytes.Buffer
	// leastBilled is the number of tweets that an answer with fewer is billed as.
	leastBilled int
}

func newCaller(provider string, config Config) *caller {
	return &caller{
		config:   config,
		provider: provider,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout: 5 * time.Second,
				MaxIdleConns:        config.MaxConns,
				MaxIdleConnsPerHost: config.MaxConns,
				// Shorter than servers' usual minute, so that a connection is rarely used
				// at the moment the other side closes it.
				IdleConnTimeout: 30 * time.Second,
				// In HTTP/2 the empty body below would show as a frame.
				Protocols: onlyHTTP1(),
			},
			// A redirect would carry the key to wherever it points.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }},
	}
}

func onlyHTTP1() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	return p
}

// question is what one HTTP call asks.
type question struct {
	path string
	body string // JSON, of a POST; empty: it is a GET
	ids  int    // tweets asked for
}

// exchange is one HTTP call and its answer.
type exchange struct {
	call   Call
	begun  bool // the gate was passed
	sent   atomic.Bool
	at     time.Time // when, by the clock of the settings
	header http.Header
	body   *bytes.Buffer // nil: there was no answer; goes back to the pool when the exchange is over
}

// decoded is what an answer was found to hold.
type decoded struct {
	returned   int                         // tweets
	unreadable [engagement.NumCounters]int // counters of them that ought to have a count and do not
}

// lost reports whether the call may have been billed although its answer is not known: it was
// sent, and not refused.
func (x *exchange) lost() bool {
	refused := x.call.Kind == KindOK || x.call.Kind == KindOutOfCredit || x.call.Kind == KindRateLimited
	return x.sent.Load() && !refused && (x.call.Status == 0 || x.call.Status == http.StatusOK)
}

// get waits for the gate, asks, and gives a 200's body to decode, which
// says what is in it. Neither decode nor seen, which may look at
// the exchange when it is over, may keep the body.
func (c *caller) get(ctx context.Context, gate Gate, what question, decode func(body []byte) (decoded, error), seen func(*exchange)) error {
	x := &exchange{call: Call{Provider: c.provider, IDs: what.ids}}
	defer func() {
		if x.body != nil {
			c.buffers.Put(x.body)
		}
	}()
	err := c.exchange(ctx, gate, what, x, decode)
	seen(x)
	return err
}

func (c *caller) exchange(ctx context.Context, gate Gate, what question, x *exchange, decode func(body []byte) (decoded, error)) error {
	if gate != nil {
		if err := gate.Wait(ctx); err != nil {
			return fmt.Errorf("wait for permission to call %s: %w", c.provider, err)
		}
	}
	x.begun, x.at = true, c.config.Now()
	start := time.Now()
	err := c.fetch(ctx, what, x)
	if err == nil {
		var got decoded
		got, err = decode(x.body.Bytes())
		if x.call.Returned, x.call.Unreadable = got.returned, got.unreadable; err != nil {
			err = unreadable(x.header, x.body.Bytes(), err)
		}
	}
	if err == nil && x.call.IDs > 0 {
		x.call.Billed = max(x.call.Returned, c.leastBilled)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", c.provider, err)
	}
	x.call.Duration = time.Since(start)
	x.call.Kind = Kind(err)
	c.config.OnCall(x.call)
	return err
}

// errTimeout is the cause of a call's end by its own time-out.
var errTimeout = errors.New("call timed out")

// fetch reads the answer to one call. A status other than 200 is an error.
func (c *caller) fetch(ctx context.Context, what question, x *exchange) error {
	callCtx, cancel := context.WithTimeoutCause(ctx, c.config.Timeout, errTimeout)
	defer cancel()
	method := http.MethodGet
	if what.body != "" {
		method = http.MethodPost
	}
	req, err := http.NewRequestWithContext(callCtx, method, c.config.BaseURL+what.path, nil)
	if err != nil {
		return fmt.Errorf("make request: %w", withoutURL(err))
	}
	c.header(req.Header, c.config.Key)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "gorgone")
	// net/http sends a GET again by itself when a kept connection breaks. That would
	// be a call that no gate permitted and no count shows. It does so only for
	// requests without a body to lose, so give it an empty one. The encoding keeps
	// it from announcing that body: some servers refuse a GET that has one.
	if what.body == "" {
		req.Body = struct{ io.ReadCloser }{http.NoBody}
		req.TransferEncoding = []string{"identity"}
	} else {
		// Without GetBody it is not sent again either.
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(what.body)), int64(len(what.body))
		req.Header.Set("Content-Type", "application/json")
	}

	req = req.WithContext(httptrace.WithClientTrace(callCtx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { x.sent.Store(true) }, // it is written next
	}))
	resp, err := c.http.Do(req)
	if err != nil {
		return c.broken(ctx, callCtx, err)
	}
	defer resp.Body.Close()
	x.call.Status, x.header = resp.StatusCode, resp.Header
	if resp.StatusCode < http.StatusOK {
		// The connection speaks another protocol from here on, and no time-out ends a read of it.
		return fmt.Errorf("%w (status %d): no answer, but another protocol", ErrProviderFault, resp.StatusCode)
	}
	// Only now: most of the calls under way wait for the provider, and need no memory.
	x.body = c.buffers.Get().(*bytes.Buffer)
	x.body.Reset()
	if resp.ContentLength > 0 {
		x.body.Grow(int(min(resp.ContentLength, maxBody)) + bytes.MinRead)
	}
	n, err := x.body.ReadFrom(io.LimitReader(resp.Body, maxBody+1))
	c.redact(x.body)
	if strings.Contains(resp.Header.Get("Location"), c.config.Key) {
		resp.Header.Del("Location")
	}
	switch {
	case resp.StatusCode != http.StatusOK:
		// What was read of it must do, the status says the most.
		return c.refusal(resp.StatusCode, resp.Header, x.body.Bytes())
	case err != nil:
		return c.broken(ctx, callCtx, err)
	case n > maxBody:
		return fmt.Errorf("%w: longer than %d bytes", ErrMalformed, maxBody)
	}
	return nil
}

// broken gives its kind to an error of the transport.
func (c *caller) broken(ctx, callCtx context.Context, err error) error {
	switch {
	case ctx.Err() != nil: // the caller's doing
		if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
			return fmt.Errorf("call ended: %w: %w", ctx.Err(), cause)
		}
		return fmt.Errorf("call ended: %w", ctx.Err())
	case errors.Is(context.Cause(callCtx), errTimeout):
		// Without the error itself: as a DeadlineExceeded it would look like the
		// caller's own.
		return fmt.Errorf("%w: no full answer within %s", ErrProviderFault, c.config.Timeout)
	default:
		// Its text alone, because the time-outs of net claim to be a DeadlineExceeded.
		return fmt.Errorf("%w: %s", ErrProviderFault, bounded(withoutURL(err).Error()))
	}
}

// withoutURL takes off the part of an error that quotes the request's URL.
func withoutURL(err error) error {
	if quoting, ok := errors.AsType[*url.Error](err); ok {
		return quoting.Err
	}
	return err
}

// redact takes the key out of an answer that echoes it, so that it can't get into
// an error from there.
func (c *caller) redact(body *bytes.Buffer) {
	key := []byte(c.config.Key)
	if len(key) < minSecret || !bytes.Contains(body.Bytes(), key) {
		return
	}
	clean := bytes.ReplaceAll(body.Bytes(), key, []byte("[key]"))
	body.Reset()
	body.Write(clean)
}

// minSecret is the length from which a key is taken for a secret. A shorter one
// (for a fake provider) could be part of any word.
const minSecret = 8
