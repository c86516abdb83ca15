package alert

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// errStop is wrapped by the error of a receiver that wants nothing any more.
var errStop = errors.New("the receiver answered 410 Gone: it wants nothing any more")

// maxAnswer is how much of an answer is read, so that the connection can be used
// again. Nothing of it is looked at.
const maxAnswer = 64 << 10

// Poster posts messages to webhooks. It is safe for concurrent use.
type Poster struct {
	client *http.Client
	now    func() time.Time
	agent  string
}

// NewPoster returns a poster. A receiver has timeout to answer; private allows
// those in private networks; now tells real time.
func NewPoster(timeout time.Duration, private bool, now func() time.Time, version string) *Poster {
	return &Poster{client: newClient(timeout, private), now: now, agent: "gorgone/" + version}
}

// Post sends a message under an id. It returns nil when the receiver answered 2xx.
// The error does not show the address, which may be a secret.
func (p *Poster) Post(ctx context.Context, w Webhook, id string, m Message) error {
	if err := CheckURL(w.URL); err != nil {
		return err
	}
	body, err := m.body(w.Format)
	if err != nil {
		return err
	}
	at := p.now()
	signatures, err := w.sign(id, at, body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("a webhook's address is not a URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", p.agent)
	req.Header.Set(HeaderID, id)
	req.Header.Set(HeaderKey, id)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(HeaderSignature, signatures)
	res, err := p.client.Do(req)
	if err != nil {
		if fault, ok := errors.AsType[*url.Error](err); ok {
			err = fault.Err // without the address
		}
		return fmt.Errorf("post: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer)
	switch {
	case res.StatusCode >= 200 && res.StatusCode < 300:
		return nil
	case res.StatusCode == http.StatusGone:
		return errStop
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("the receiver answered %d: redirects are not followed", res.StatusCode)
	default:
		return fmt.Errorf("the receiver answered %d", res.StatusCode)
	}
}
