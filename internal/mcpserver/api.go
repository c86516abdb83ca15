package mcpserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// apiTimeout bounds a call: a refresh is waited for on the server for half of it.
	apiTimeout  = time.Minute
	refreshWait = "30"

	// pollEvery is how often a refresh that takes longer is asked for.
	pollEvery = time.Second

	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 16 << 20
)

// api is the HTTP API as one caller uses it.
type api struct {
	base   *url.URL
	token  string
	client *http.Client
}

// refusedError is an answer of the API other than 2xx.
type refusedError struct {
	Status     int
	Code       string `json:"code"`
	Text       string `json:"error"`
	RequestID  string `json:"request_id"`
	retryAfter string // seconds; may be empty
	challenge  string // of a 401
}

func (e *refusedError) Error() string {
	text := fmt.Sprintf("%d %s: %s", e.Status, e.Code, e.Text)
	if e.retryAfter != "" {
		text += fmt.Sprintf(" (try again in %s s)", e.retryAfter)
	}
	if e.RequestID != "" {
		text += fmt.Sprintf(" (request %s)", e.RequestID)
	}
	return text
}

// newClient returns the client for all calls. It follows no redirects, to which a token
// must not go.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       apiTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get reads from a path of the API.
func (a *api) get(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	answer, _, err := a.call(ctx, http.MethodGet, path, query)
	return answer, err
}

// refresh has a tweet looked up now, and waits until it is, or until ctx ends.
func (a *api) refresh(ctx context.Context, in refreshInput) (json.RawMessage, error) {
	query := url.Values{"wait": {refreshWait}}
	if in.Force {
		query.Set("force", "true")
	}
	answer, location, err := a.call(ctx, http.MethodPost, "/api/twitter/tweets/"+url.PathEscape(in.Tweet)+"/refresh", query)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for err == nil && location != "" {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		answer, location, err = a.call(ctx, http.MethodGet, location, nil)
	}
	return answer, err
}

// call makes a call. location is where a request that is still open will be answered.
func (a *api) call(ctx context.Context, method, path string, query url.Values) (answer json.RawMessage, location string, err error) {
	target := *a.base
	if target.Path, err = url.PathUnescape(strings.TrimSuffix(a.base.Path, "/") + path); err != nil {
		return nil, "", fmt.Errorf("call the API: %w", err)
	}
	target.RawPath = strings.TrimSuffix(a.base.EscapedPath(), "/") + path
	target.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, target.String(), nil) //nolint:gosec // the host is configured
	if err != nil {
		return nil, "", fmt.Errorf("call the API: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("User-Agent", "gorgone-mcp")
	res, err := a.client.Do(r) //nolint:gosec // likewise
	if err != nil {
		return nil, "", fmt.Errorf("the API cannot be reached: %w", plain(err))
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, "", fmt.Errorf("read the API's answer: %w", plain(err))
	}
	if res.StatusCode < 200 || res.StatusCode > 299 || !json.Valid(body) {
		refused := &refusedError{Code: "unexpected", Text: "the answer is not the API's: is this the address of gorgone web?"}
		_ = json.Unmarshal(body, refused)
		refused.Status, refused.retryAfter, refused.challenge = res.StatusCode, res.Header.Get("Retry-After"), res.Header.Get("WWW-Authenticate")
		return nil, "", refused
	}
	if res.StatusCode == http.StatusAccepted {
		location = res.Header.Get("Location")
	}
	return body, location, nil
}

// plain is an error of an HTTP client without the URL that it repeats.
func plain(err error) error {
	if of, ok := errors.AsType[*url.Error](err); ok {
		return of.Err
	}
	return err
}
