package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
)

// Refresh asks for one tweet to be looked at now.
type Refresh struct {
	RequestID   uuid.UUID
	TweetID     string
	RequestedAt time.Time // database time
	Deadline    time.Time // nobody waits for the answer after this; zero: not known
	Trace       string    // W3C traceparent; may be empty
}

type refreshBody struct {
	V           int       `json:"v"`
	RequestID   uuid.UUID `json:"request_id"`
	TweetID     string    `json:"tweet_id"`
	RequestedAt time.Time `json:"requested_at"`
	Deadline    time.Time `json:"deadline,omitzero"`
}

func (r Refresh) validate() error {
	switch {
	case r.RequestID == uuid.Nil:
		return errors.New("refresh has no request id")
	case r.RequestedAt.IsZero():
		return errors.New("refresh has no time of request")
	default:
		return engagement.CheckTweetID(r.TweetID)
	}
}

func (r Refresh) encode() ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	return json.Marshal(refreshBody{V: schemaVersion, RequestID: r.RequestID, TweetID: r.TweetID, RequestedAt: r.RequestedAt, Deadline: r.Deadline})
}

// decodeRefresh decodes the body of a message on the subject of the given tweet,
// which is what requests coalesce by.
func decodeRefresh(body []byte, tweet string) (Refresh, error) {
	if len(body) > maxRefreshBytes {
		return Refresh{}, fmt.Errorf("decode refresh: %w", ErrTooLarge)
	}
	var b refreshBody
	if err := decodeVersioned(body, &b.V, &b); err != nil {
		return Refresh{}, fmt.Errorf("decode refresh: %w", err)
	}
	r := Refresh{RequestID: b.RequestID, TweetID: b.TweetID, RequestedAt: b.RequestedAt, Deadline: b.Deadline}
	if err := r.validate(); err != nil {
		return Refresh{}, fmt.Errorf("decode refresh: %w", err)
	}
	if r.TweetID != tweet {
		return Refresh{}, fmt.Errorf("decode refresh: of tweet %s on the subject of tweet %.40q", r.TweetID, tweet)
	}
	return r, nil
}

// PublishRefresh puts a refresh into the queue. It reports coalesced when one of
// the same tweet is queued or in flight already: then nothing is added, and that
// one's result answers this request too. The error wraps [ErrFull] when the lane
// is full.
func (q *Queue) PublishRefresh(ctx context.Context, r Refresh) (coalesced bool, err error) {
	body, err := r.encode()
	if err != nil {
		return false, fmt.Errorf("publish refresh: %w", err)
	}
	// No message id: it would also swallow a request that follows a finished one.
	m := &nats.Msg{Subject: q.names.refreshOf(r.TweetID), Data: body, Header: nats.Header{}}
	if r.Trace != "" {
		m.Header.Set(traceparent.Header, r.Trace)
	}
	err = q.publish(ctx, m)
	switch {
	case errors.Is(err, errHeld):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("publish refresh of tweet %s: %w", r.TweetID, err)
	default:
		return false, nil
	}
}
