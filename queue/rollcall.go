package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Replica is a process that answered a roll call.
type Replica struct {
	V       int       `json:"v"` // set by Attend
	ID      string    `json:"id"`
	Host    string    `json:"host"`
	Roles   []string  `json:"roles"` // dispatcher, worker, web
	Version string    `json:"version"`
	Since   time.Time `json:"since"`   // real time at which it started
	InWork  int       `json:"in_work"` // batches and groups of refreshes in its hands
	Done    int64     `json:"done"`    // rows and refreshes answered since it started
}

const (
	// rollCallQuiet is how long a roll call goes on after the last answer: whoever
	// is alive answers at once.
	rollCallQuiet = 150 * time.Millisecond

	// maxReplicas bounds the answers to a roll call.
	maxReplicas = 10_000
)

func (n names) rollCall() string { return n.subject + "rollcall" }

// Attend answers roll calls with what describe returns, until stop is called or
// the queue's connection ends. Nothing is sent while nobody asks.
func (q *Queue) Attend(describe func() Replica) (stop func(), err error) {
	sub, err := q.conn.nc.Subscribe(q.names.rollCall(), func(m *nats.Msg) {
		r := describe()
		r.V = schemaVersion
		body, err := json.Marshal(r)
		if err == nil {
			err = m.Respond(body)
		}
		if err != nil {
			q.log.Warn().Err(plain(err)).Msg("roll call was not answered")
		}
	})
	if err != nil {
		return nil, fmt.Errorf("attend roll calls: %w", plain(err))
	}
	return func() {
		if err := sub.Unsubscribe(); err != nil && sub.IsValid() && !q.conn.nc.IsClosed() {
			q.log.Warn().Err(err).Msg("could not unsubscribe from roll calls")
		}
	}, nil
}

// RollCall asks which processes are there, and returns those that answered, by
// role and host. It is over when no more answers come, at the latest after wait.
func (q *Queue) RollCall(ctx context.Context, wait time.Duration) ([]Replica, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	inbox := q.conn.nc.NewRespInbox()
	sub, err := q.conn.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("call the roll: %w", plain(err))
	}
	defer sub.Unsubscribe() //nolint:errcheck // it only fails when the connection is gone
	if !q.conn.Connected() {
		return nil, fmt.Errorf("call the roll: %w", ErrNotConnected)
	}
	if err := q.conn.nc.PublishRequest(q.names.rollCall(), inbox, nil); err != nil {
		return nil, fmt.Errorf("call the roll: %w", plain(err))
	}
	seen := make(map[string]Replica)
	for patience := wait; len(seen) < maxReplicas; patience = rollCallQuiet {
		r, err := nextReplica(ctx, sub, patience)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("call the roll: %w", plain(err))
		}
		if r.ID != "" {
			seen[r.ID] = r
		}
	}
	replicas := make([]Replica, 0, len(seen))
	for _, r := range seen {
		replicas = append(replicas, r)
	}
	slices.SortFunc(replicas, func(a, b Replica) int {
		if c := slices.Compare(a.Roles, b.Roles); c != 0 {
			return c
		}
		return strings.Compare(a.Host+a.ID, b.Host+b.ID)
	})
	return replicas, nil
}

// nextReplica waits for an answer. One that can not be read comes back without an
// id.
func nextReplica(ctx context.Context, sub *nats.Subscription, patience time.Duration) (r Replica, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := sub.NextMsgWithContext(ctx)
	if err != nil {
		return r, err
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return r, nats.ErrNoResponders
	}
	if err := decodeVersioned(m.Data, &r.V, &r); err != nil {
		return Replica{}, nil // somebody of another version is not worth failing for
	}
	return r, nil
}
