package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
)

// Refresh is a request to look up one tweet now.
type Refresh struct {
	RequestID   uuid.UUID
	TweetID     string
	RequestedAt time.Time // database time; zero in what others than package refresh publish
	Deadline    time.Time // when the requester stops waiting for the answer; zero: unknown
	Requester   string    // user:<UUID>, whose limits hold for a request that is not recorded yet; may be empty
	Trace       string    // W3C traceparent; may be empty
}

// requesterPattern is the form of [Refresh.Requester].
var requesterPattern = regexp.MustCompile(`^user:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

type refreshBody struct {
	V           int       `json:"v"`
	RequestID   uuid.UUID `json:"request_id"`
	TweetID     string    `json:"tweet_id"`
	RequestedAt time.Time `json:"requested_at,omitzero"`
	Deadline    time.Time `json:"deadline,omitzero"`
	Requester   string    `json:"requester,omitempty"`
}

func (r Refresh) validate() error {
	switch {
	case r.RequestID == uuid.Nil:
		return errors.New("refresh has no request id: request_id is a new UUID for each message")
	case r.Requester != "" && !requesterPattern.MatchString(r.Requester):
		return errors.New("requester is not user: and the user's UUID in lower case")
	default:
		return engagement.CheckTweetID(r.TweetID)
	}
}

func (r Refresh) encode() ([]byte, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	if r.RequestedAt.IsZero() {
		return nil, errors.New("refresh has no request time")
	}
	return json.Marshal(refreshBody{schemaVersion, r.RequestID, r.TweetID, r.RequestedAt, r.Deadline, r.Requester})
}

// decodeRefresh decodes the body of a message on the given tweet's subject, by which
// requests coalesce.
func decodeRefresh(body []byte, tweet string) (Refresh, error) {
	if len(body) > maxRefreshBytes {
		return Refresh{}, fmt.Errorf("decode refresh: %w", ErrTooLarge)
	}
	var b refreshBody
	if err := decodeVersioned(body, &b.V, &b); err != nil {
		return Refresh{}, fmt.Errorf("decode refresh: %w", err)
	}
	r := Refresh{RequestID: b.RequestID, TweetID: b.TweetID, RequestedAt: b.RequestedAt, Deadline: b.Deadline, Requester: b.Requester}
	if err := r.validate(); err != nil {
		return Refresh{}, fmt.Errorf("decode refresh: %w", err)
	}
	if r.TweetID != tweet {
		return Refresh{}, fmt.Errorf("decode refresh: tweet %s on the subject of tweet %.40q", r.TweetID, tweet)
	}
	return r, nil
}

// QueuedRefreshes returns the tweets of which a refresh is queued or in flight.
func (q *Queue) QueuedRefreshes(ctx context.Context) (map[string]bool, error) {
	stream, err := q.js.Stream(ctx, q.names.refresh)
	if err != nil {
		return nil, fmt.Errorf("read queued refreshes: %w", plain(err))
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(q.names.refreshOf("*")))
	if err != nil {
		return nil, fmt.Errorf("read queued refreshes: %w", plain(err))
	}
	tweets := make(map[string]bool, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		tweets[strings.TrimPrefix(subject, q.names.refreshOf(""))] = true
	}
	return tweets, nil
}

// PublishRefresh publishes a refresh. If one of the same tweet is already queued or in
// flight, nothing is added: coalesced is true, and that refresh's result answers this
// request too. The error wraps [ErrFull] if the stream is full.
func (q *Queue) PublishRefresh(ctx context.Context, r Refresh) (coalesced bool, err error) {
	body, err := r.encode()
	if err != nil {
		return false, fmt.Errorf("publish refresh: %w", err)
	}
	// No message id: deduplication would drop a request that follows a finished one.
	m := &nats.Msg{Subject: q.names.refreshOf(r.TweetID), Data: body, Header: nats.Header{}}
	if r.Trace != "" {
		m.Header.Set(traceparent.Header, r.Trace)
	}
	err = q.publish(ctx, m)
	switch {
	case errors.Is(err, errSubjectTaken):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("publish refresh of tweet %s: %w", r.TweetID, err)
	default:
		return false, nil
	}
}
