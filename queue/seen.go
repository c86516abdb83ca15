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

// EventSeen is the kind of event that says what looks at tweets led to.
const EventSeen = "seen"

// Seen is what a look at a tweet led to, for one of its rows.
type Seen struct {
	RowID        uuid.UUID          `json:"row_id"`
	ZoneID       uuid.UUID          `json:"zone_id"`
	TweetID      string             `json:"tweet_id"`
	Outcome      Outcome            `json:"outcome"` // Updated, Missing, Deleted or Unresolved
	Reason       string             `json:"reason,omitempty"`
	Metrics      engagement.Metrics `json:"metrics"`
	At           time.Time          `json:"at,omitzero"` // of the last observation
	Velocity     *float64           `json:"velocity,omitempty"`
	Tier         engagement.Tier    `json:"tier"`
	TierChanged  bool               `json:"tier_changed"`
	NextUpdateAt time.Time          `json:"next_update_at,omitzero"`
}

// PublishSeen sends what looks at tweets led to, as one event.
func (q *Queue) PublishSeen(ctx context.Context, seen []Seen) error {
	return q.PublishEvent(ctx, EventSeen, seen)
}

// DecodeSeen reads the data of an event of the kind [EventSeen].
func DecodeSeen(data json.RawMessage) ([]Seen, error) {
	var seen []Seen
	if err := json.Unmarshal(data, &seen); err != nil {
		return nil, fmt.Errorf("decode an event: %w", err)
	}
	return seen, nil
}

const (
	// CallAudienceEvery is how often whoever has readers of live events says so.
	CallAudienceEvery = 4 * time.Second

	// audienceStays is how long an audience counts as present after it was heard
	// of: some calls may be lost.
	audienceStays = 3*CallAudienceEvery + time.Second
)

// CallAudience tells the workers that somebody reads live events. It is to be
// repeated every [CallAudienceEvery].
func (q *Queue) CallAudience() error {
	if err := q.conn.nc.Publish(q.names.audience(), nil); err != nil {
		return fmt.Errorf("call for live events: %w", err)
	}
	return nil
}

// Audience knows whether anybody reads live events. Encoding them for nobody would
// cost a worker at full speed several percent of its time.
type Audience struct {
	heard atomic.Int64 // when it was last heard of, by started
	since time.Time
}

// NewAudience listens for readers of live events, as long as the queue's
// connection lasts.
func NewAudience(q *Queue) (*Audience, error) {
	a := &Audience{since: time.Now()}
	a.heard.Store(int64(-audienceStays))
	_, err := q.conn.nc.Subscribe(q.names.audience(), func(*nats.Msg) { a.heard.Store(int64(time.Since(a.since))) })
	if err != nil {
		return nil, fmt.Errorf("listen for readers of live events: %w", err)
	}
	return a, nil
}

// Present reports whether anybody was heard of lately.
func (a *Audience) Present() bool {
	return time.Since(a.since)-time.Duration(a.heard.Load()) < audienceStays
}
