package queue

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"gorgone/engagement"
)

// Outcome is how a refresh ended.
type Outcome string

// The outcomes.
const (
	Updated    Outcome = "updated"    // looked at, and written
	Current    Outcome = "current"    // a newer observation was there already
	Missing    Outcome = "missing"    // a valid answer lacked the tweet
	Unresolved Outcome = "unresolved" // no usable answer about the tweet
	Failed     Outcome = "failed"     // the look-up failed; see the reason
	Untracked  Outcome = "untracked"  // no row tracks the tweet
)

// Done is the result of a refresh, for whoever waits for it.
type Done struct {
	TweetID    string      `json:"tweet_id"`
	RequestIDs []uuid.UUID `json:"request_ids"` // requests that this answers; coalesced ones are not named
	Outcome    Outcome     `json:"outcome"`
	Reason     string      `json:"reason,omitempty"`
	ObservedAt time.Time   `json:"observed_at,omitzero"`
	Rows       []DoneRow   `json:"rows,omitempty"`
}

// DoneRow is what a refresh did to one row of the tweet.
type DoneRow struct {
	RowID           uuid.UUID          `json:"row_id"`
	ZoneID          *uuid.UUID         `json:"zone_id,omitempty"`
	Before          engagement.Metrics `json:"before"`
	After           engagement.Metrics `json:"after"`
	SnapshotCreated bool               `json:"snapshot_created"`
	Tier            engagement.Tier    `json:"tier"`
	TierChanged     bool               `json:"tier_changed"`
	NextUpdateAt    time.Time          `json:"next_update_at,omitzero"`
}

// PublishDone tells all who wait for the tweet. It is not stored.
func (q *Queue) PublishDone(ctx context.Context, d Done) error { return errNotBuilt }

// WatchDone returns the results of refreshes of the tweet from now on: the
// subscription stands when WatchDone returns, so publish the refresh after it.
// Results that nobody reads are dropped. stop must be called; the channel is
// never closed, so wait on a context too.
func (q *Queue) WatchDone(ctx context.Context, tweetID string) (results <-chan Done, stop func(), err error) {
	return nil, nil, errNotBuilt
}

// Event is something that live pages may want to show.
type Event struct {
	Kind string          // a subject token: a-z, 0-9, - and _
	Data json.RawMessage // its content, by kind
}

// PublishEvent sends an event with data as JSON. It is not stored.
func (q *Queue) PublishEvent(ctx context.Context, kind string, data any) error { return errNotBuilt }

// WatchEvents returns the events of all kinds from now on. A slow reader misses
// events. stop must be called; the channel is never closed.
func (q *Queue) WatchEvents(ctx context.Context) (events <-chan Event, stop func(), err error) {
	return nil, nil, errNotBuilt
}
