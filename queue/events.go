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

// Outcome is how a refresh ended.
type Outcome string

// The outcomes.
const (
	Updated    Outcome = "updated"    // looked at, and written
	Current    Outcome = "current"    // a newer observation was there already
	Missing    Outcome = "missing"    // an answer lacked the tweet, which may still be there
	Deleted    Outcome = "deleted"    // the tweet counts as deleted; reason says why
	Unresolved Outcome = "unresolved" // no usable answer about the tweet
	Failed     Outcome = "failed"     // the look-up failed; cause and reason say why
	Untracked  Outcome = "untracked"  // no row tracks the tweet
)

// Cause says of a failed refresh, in a word, what kept it from its answer.
type Cause string

// The causes.
const (
	CauseRateLimited Cause = "rate_limited"  // calls are paused by the provider's rate limit
	CauseOutOfCredit Cause = "out_of_credit" // the provider's account is empty
	CauseKeyRefused  Cause = "key_refused"   // the provider does not accept the API key
	CauseLate        Cause = "late"          // no call was possible before the deadline
	CauseDatabase    Cause = "database"      // the answer could not be written
	CausePaused      Cause = "paused"        // somebody has paused refreshes
	CauseProvider    Cause = "provider"      // any other fault of the look-up
	CauseOutage      Cause = "outage"        // the provider fails again and again, so that it is left alone for a while
)

// Done is the result of a refresh, for whoever waits for it.
type Done struct {
	V          int         `json:"v"` // set by PublishDone
	TweetID    string      `json:"tweet_id"`
	RequestIDs []uuid.UUID `json:"request_ids"` // requests this answers; coalesced ones are not named
	Outcome    Outcome     `json:"outcome"`
	Cause      Cause       `json:"cause,omitempty"` // of Failed
	Reason     string      `json:"reason,omitempty"`
	RetryAt    time.Time   `json:"retry_at,omitzero"` // database time at which to ask again; zero: not known
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

// Event is something that live pages may want to show.
type Event struct {
	Kind string          // a-z, 0-9, - and _
	Data json.RawMessage // its content, by kind
}

// watchBuffer is how many events a watcher may be behind before it misses some.
const watchBuffer = 256

var kindPattern = regexp.MustCompile(`^[a-z0-9_-]{1,64}$`)

// PublishDone tells all who wait for the tweet. It is sent at once or not at all,
// and is not stored.
func (q *Queue) PublishDone(_ context.Context, d Done) error {
	if err := engagement.CheckTweetID(d.TweetID); err != nil {
		return fmt.Errorf("publish result: %w", err)
	}
	d.V = schemaVersion
	return q.send(q.names.doneOf(d.TweetID), d)
}

// WatchDone returns the results of refreshes of the tweet from now on. It stands
// at the server when WatchDone returns, so publish the refresh after it. stop must
// be called. The channel is never closed: wait on a context too.
func (q *Queue) WatchDone(ctx context.Context, tweetID string) (results <-chan Done, stop func(), err error) {
	if err := engagement.CheckTweetID(tweetID); err != nil {
		return nil, nil, fmt.Errorf("watch results: %w", err)
	}
	return watch(ctx, q, q.names.doneOf(tweetID), func(m *nats.Msg) (d Done, err error) {
		return d, decodeVersioned(m.Data, &d.V, &d)
	})
}

// PublishEvent sends an event with data as JSON. It is sent at once or not at all,
// and is not stored.
func (q *Queue) PublishEvent(_ context.Context, kind string, data any) error {
	if !kindPattern.MatchString(kind) {
		return fmt.Errorf("publish event: kind %.80q: want 1 to 64 of a-z, 0-9, - and _", kind)
	}
	return q.send(q.names.event(kind), data)
}

// WatchEvents returns the events of all kinds from now on. Who reads too slowly
// misses events. stop must be called. The channel is never closed.
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

// watch subscribes, and waits until the server knows.
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
			q.log.Warn().Err(err).Str("subject", subject).Msg("could not unsubscribe")
		}
		if n := missed.Swap(0); n > 0 {
			q.log.Warn().Int64("missed", n).Str("subject", subject).Msg("a slow reader missed events")
		}
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	if err := q.conn.nc.FlushWithContext(ctx); err != nil {
		stop()
		return nil, nil, fmt.Errorf("subscribe to %s: %w", subject, plain(err))
	}
	return out, stop, nil
}
