package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"gorgone/engagement"
)

// RefreshResult is the result of a refresh, published to those who wait for it.
type RefreshResult struct {
	V          int                       `json:"v"` // set by PublishResult
	TweetID    string                    `json:"tweet_id"`
	RequestIDs []uuid.UUID               `json:"request_ids"` // the requests it answers; coalesced ones are not listed
	Outcome    engagement.RequestOutcome `json:"outcome"`
	Cause      engagement.FailureCause   `json:"cause,omitempty"` // of a failed refresh
	Reason     string                    `json:"reason,omitempty"`
	RetryAt    time.Time                 `json:"retry_at,omitzero"` // database time at which to try again; zero: unknown
	ObservedAt time.Time                 `json:"observed_at,omitzero"`
	Rows       []ResultRow               `json:"rows,omitempty"`
}

// ResultRow is what a refresh did to one row of the tweet.
type ResultRow struct {
	RowID           uuid.UUID          `json:"row_id"`
	ZoneID          *uuid.UUID         `json:"zone_id,omitempty"`
	Before          engagement.Metrics `json:"before"`
	After           engagement.Metrics `json:"after"`
	SnapshotCreated bool               `json:"snapshot_created"`
	Tier            engagement.Tier    `json:"tier"`
	TierChanged     bool               `json:"tier_changed"`
	NextUpdateAt    time.Time          `json:"next_update_at,omitzero"`
}

// Event is a change that live pages may show.
type Event struct {
	Kind string          // a-z, 0-9, - and _
	Data json.RawMessage // depends on the kind
}

// watchBuffer is how many events a subscriber may lag behind before it misses some.
const watchBuffer = 256

var kindPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// PublishResult publishes the result to all who wait for the tweet. It is sent at once
// or not at all, and is not stored.
func (q *Queue) PublishResult(_ context.Context, d RefreshResult) error {
	if err := engagement.CheckTweetID(d.TweetID); err != nil {
		return fmt.Errorf("publish result: %w", err)
	}
	d.V = schemaVersion
	return q.send(q.names.doneOf(d.TweetID), d)
}

// WatchResults returns the results of the tweet's refreshes from now on. The subscription
// is active when WatchResults returns, so publish the refresh after it. The caller must
// call stop. The channel is never closed: wait on a context too.
func (q *Queue) WatchResults(ctx context.Context, tweetID string) (results <-chan RefreshResult, stop func(), err error) {
	if err := engagement.CheckTweetID(tweetID); err != nil {
		return nil, nil, fmt.Errorf("watch results: %w", err)
	}
	return watch(ctx, q, q.names.doneOf(tweetID), func(m *nats.Msg) (d RefreshResult, err error) {
		return d, decodeVersioned(m.Data, &d.V, &d)
	})
}

// PublishEvent publishes an event with data as JSON. It is sent at once or not at all,
// and is not stored.
func (q *Queue) PublishEvent(_ context.Context, kind string, data any) error {
	if !kindPattern.MatchString(kind) {
		return fmt.Errorf("publish event: kind %.80q: want 1 to 64 of a-z, 0-9, - and _", kind)
	}
	return q.send(q.names.event(kind), data)
}

// WatchEvents returns the events of all kinds from now on. A slow reader misses events.
// The caller must call stop. The channel is never closed.
func (q *Queue) WatchEvents(ctx context.Context) (events <-chan Event, stop func(), err error) {
	return watch(ctx, q, q.names.event(">"), func(m *nats.Msg) (Event, error) {
		return Event{Kind: strings.TrimPrefix(m.Subject, q.names.event("")), Data: m.Data}, nil
	})
}

func (q *Queue) send(subject string, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("publish on %s: %w", subject, plain(err))
	}
	if err := q.conn.nc.Publish(subject, body); err != nil {
		return fmt.Errorf("publish on %s: %w", subject, plain(err))
	}
	return nil
}

// watch subscribes and waits until the subscription is active.
func watch[T any](ctx context.Context, q *Queue, subject string, decode func(*nats.Msg) (T, error)) (<-chan T, func(), error) {
	if !q.conn.Connected() {
		return nil, nil, fmt.Errorf("subscribe to %s: %w", subject, ErrNotConnected)
	}
	out := make(chan T, watchBuffer)
	var missed atomic.Int64
	sub, err := q.conn.nc.Subscribe(subject, func(m *nats.Msg) {
		v, err := decode(m)
		if err != nil {
			q.log.Warn().Err(err).Str("subject", m.Subject).Msg("ignored an unreadable event")
			return
		}
		select {
		case out <- v:
		default:
			missed.Add(1)
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("subscribe to %s: %w", subject, plain(err))
	}
	stop := func() {
		if err := sub.Unsubscribe(); err != nil && sub.IsValid() && !q.conn.nc.IsClosed() {
			q.log.Warn().Err(err).Str("subject", subject).Msg("unsubscribing failed")
		}
		if n := missed.Swap(0); n > 0 {
			q.log.Warn().Int64("missed", n).Str("subject", subject).Msg("a slow reader missed events")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := q.conn.nc.FlushWithContext(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("subscribe to %s: %w", subject, plain(err))
	}
	return out, stop, nil
}
