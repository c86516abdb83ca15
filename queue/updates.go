package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"gorgone/engagement"
)

// EventUpdate is the kind of event that carries row updates.
const EventUpdate = "seen"

// RowUpdate is the result of a look-up for one row of a tweet.
type RowUpdate struct {
	RowID        uuid.UUID                 `json:"row_id"`
	ZoneID       uuid.UUID                 `json:"zone_id"`
	TweetID      string                    `json:"tweet_id"`
	Outcome      engagement.RequestOutcome `json:"outcome"` // Updated, Missing, Deleted or Unresolved
	Reason       string                    `json:"reason,omitempty"`
	Metrics      engagement.Metrics        `json:"metrics"`
	At           time.Time                 `json:"at,omitzero"` // of the last observation
	Velocity     *float64                  `json:"velocity,omitempty"`
	Tier         engagement.Tier           `json:"tier"`
	TierChanged  bool                      `json:"tier_changed"`
	NextUpdateAt time.Time                 `json:"next_update_at,omitzero"`
}

// PublishUpdates publishes row updates as one event.
func (q *Queue) PublishUpdates(ctx context.Context, updates []RowUpdate) error {
	return q.PublishEvent(ctx, EventUpdate, updates)
}

// DecodeUpdates reads the data of an event of the kind [EventUpdate].
func DecodeUpdates(data json.RawMessage) ([]RowUpdate, error) {
	var updates []RowUpdate
	if err := json.Unmarshal(data, &updates); err != nil {
		return nil, fmt.Errorf("decode row updates: %w", err)
	}
	return updates, nil
}

const (
	// AnnounceInterval is how often a process with subscribers to live events announces
	// them.
	AnnounceInterval = 4 * time.Second

	// subscriberTimeout is how long subscribers count as present after an announcement:
	// some announcements may be lost.
	subscriberTimeout = 3*AnnounceInterval + time.Second
)

// AnnounceSubscriber tells the workers that live events have a subscriber. Repeat it
// every [AnnounceInterval].
func (q *Queue) AnnounceSubscriber() error {
	if err := q.conn.nc.Publish(q.names.subscribers(), nil); err != nil {
		return fmt.Errorf("announce a subscriber to live events: %w", plain(err))
	}
	return nil
}

// Subscribers tracks whether live events have any subscriber. Encoding events that no one receives
// would cost a worker at full speed several percent of its time.
type Subscribers struct {
	start    time.Time
	lastSeen atomic.Int64 // when a subscriber was last announced, as a duration since start
}

// NewSubscribers listens for announcements of subscribers until the queue's connection is
// closed.
func NewSubscribers(q *Queue) (*Subscribers, error) {
	s := &Subscribers{start: time.Now()}
	s.lastSeen.Store(int64(-subscriberTimeout))
	_, err := q.conn.nc.Subscribe(q.names.subscribers(), func(*nats.Msg) { s.lastSeen.Store(int64(time.Since(s.start))) })
	if err != nil {
		return nil, fmt.Errorf("listen for subscribers to live events: %w", plain(err))
	}
	return s, nil
}

// Present reports whether a subscriber was announced recently.
func (s *Subscribers) Present() bool {
	return time.Since(s.start)-time.Duration(s.lastSeen.Load()) < subscriberTimeout
}
