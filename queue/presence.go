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

// Replica is a process that is present.
type Replica struct {
	V       int       `json:"v"` // set by ServePresence
	ID      string    `json:"id"`
	Host    string    `json:"host"`
	Roles   []string  `json:"roles"` // dispatcher, worker, web
	Version string    `json:"version"`
	Since   time.Time `json:"since"`   // real time at which it started
	InWork  int       `json:"in_work"` // batches and groups of refreshes it is working on
	Done    int64     `json:"done"`    // rows and refreshes answered since it started
	Conns   int       `json:"conns"`   // most connections to the database; 0 of an older version
	Trouble string    `json:"trouble"` // why it can not work now; "" if it can
}

const (
	// presenceQuiet is how long Replicas waits after the last answer: a live process
	// answers at once.
	presenceQuiet = 150 * time.Millisecond

	// maxReplicas bounds the number of answers.
	maxReplicas = 10_000
)

func (n names) presence() string { return n.subject + "rollcall" }

// ServePresence answers requests for presence with the result of describe, until stop is
// called or the queue's connection is closed. It sends nothing unasked.
func (q *Queue) ServePresence(describe func() Replica) (stop func(), err error) {
	sub, err := q.conn.nc.Subscribe(q.names.presence(), func(m *nats.Msg) {
		r := describe()
		r.V = schemaVersion
		body, err := json.Marshal(r)
		if err == nil {
			err = m.Respond(body)
		}
		if err != nil {
			q.log.Warn().Err(plain(err)).Msg("answering a presence request failed")
		}
	})
	if err != nil {
		return nil, fmt.Errorf("serve presence: %w", plain(err))
	}
	return func() {
		if err := sub.Unsubscribe(); err != nil && sub.IsValid() && !q.conn.nc.IsClosed() {
			q.log.Warn().Err(err).Msg("unsubscribing from presence requests failed")
		}
	}, nil
}

// Replicas asks which processes are present and returns those that answered, sorted by
// role and host. It returns when no more answers arrive, and after wait at the latest.
func (q *Queue) Replicas(ctx context.Context, wait time.Duration) ([]Replica, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	inbox := q.conn.nc.NewRespInbox()
	sub, err := q.conn.nc.SubscribeSync(inbox)
	if err != nil {
		return nil, fmt.Errorf("ask for replicas: %w", plain(err))
	}
	defer sub.Unsubscribe() //nolint:errcheck // it only fails when the connection is gone
	if !q.conn.Connected() {
		return nil, fmt.Errorf("ask for replicas: %w", ErrNotConnected)
	}
	if err := q.conn.nc.PublishRequest(q.names.presence(), inbox, nil); err != nil {
		return nil, fmt.Errorf("ask for replicas: %w", plain(err))
	}
	seen := make(map[string]Replica)
	for quiet := wait; len(seen) < maxReplicas; quiet = presenceQuiet {
		r, err := nextReplica(ctx, sub, quiet)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrNoResponders) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("ask for replicas: %w", plain(err))
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

// nextReplica waits for an answer. It returns an unreadable one without an id.
func nextReplica(ctx context.Context, sub *nats.Subscription, timeout time.Duration) (r Replica, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m, err := sub.NextMsgWithContext(ctx)
	if err != nil {
		return r, err
	}
	if len(m.Data) == 0 && m.Header.Get("Status") == "503" {
		return r, nats.ErrNoResponders
	}
	if err := decodeVersioned(m.Data, &r.V, &r); err != nil {
		return Replica{}, nil // a process of another version is no reason to fail
	}
	return r, nil
}
