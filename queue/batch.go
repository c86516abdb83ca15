package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
)

const (
	// MaxBatchTweets is the maximum number of tweet ids in a batch message. 200 ids with
	// seven rows each fit into it.
	MaxBatchTweets = 500

	// schemaVersion is written in every message. Workers dead-letter unknown versions,
	// so they are updated before dispatchers.
	schemaVersion = 1

	// keyedVersion is that of a batch for a client's own key. A worker that knows of no such
	// keys dead-letters it, rather than look it up by the wrong one.
	keyedVersion = 2
)

// Tweet is a tweet id of a batch with the rows that track it.
type Tweet struct {
	ID   string      `json:"id"` // as [engagement.CheckTweetID] accepts it
	Rows []uuid.UUID `json:"rows"`
}

// Batch is the due tweets of one claim.
type Batch struct {
	ID     uuid.UUID // of the claim, and of the message, which is stored once
	Key    uuid.UUID // the client whose own key looks it up; zero: the shared key does
	Until  time.Time // end of the lease, as written in the claim
	Tweets []Tweet   // 1 to [MaxBatchTweets]; each id once, each with at least one row
	Known  *Known    // nil: the message is from a version that didn't write it
	Trace  string    // W3C traceparent; may be empty
}

type batchBody struct {
	V      int             `json:"v"`
	ID     uuid.UUID       `json:"id"`
	Key    uuid.UUID       `json:"key,omitzero"`
	Until  time.Time       `json:"until"`
	Tweets []Tweet         `json:"tweets"`
	Known  json.RawMessage `json:"known,omitempty"` // a [knownBody]
}

func (b Batch) validate() error {
	switch {
	case b.ID == uuid.Nil:
		return errors.New("batch has no id")
	case b.Until.IsZero():
		return errors.New("batch has no end of the lease")
	case len(b.Tweets) == 0 || len(b.Tweets) > MaxBatchTweets:
		return fmt.Errorf("batch has %d tweets, want 1 to %d", len(b.Tweets), MaxBatchTweets)
	}
	seen := make(map[string]bool, len(b.Tweets))
	for _, t := range b.Tweets {
		if err := engagement.CheckTweetID(t.ID); err != nil {
			return err
		}
		if seen[t.ID] {
			return fmt.Errorf("tweet %s is listed twice", t.ID)
		}
		seen[t.ID] = true
		if len(t.Rows) == 0 {
			return fmt.Errorf("tweet %s has no row", t.ID)
		}
	}
	if b.Known != nil && len(b.Known.States) != len(b.Tweets) {
		return fmt.Errorf("batch knows the states of %d of %d tweets", len(b.Known.States), len(b.Tweets))
	}
	return nil
}

func (b Batch) encode() ([]byte, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	known, err := b.Known.encode()
	if err != nil {
		return nil, err
	}
	version := schemaVersion
	if b.Key != uuid.Nil {
		version = keyedVersion
	}
	body, err := json.Marshal(batchBody{V: version, ID: b.ID, Key: b.Key, Until: b.Until, Tweets: b.Tweets, Known: known})
	if err != nil {
		return nil, err
	}
	if len(body) > maxBatchBytes-headerRoom {
		return nil, fmt.Errorf("%w: %d bytes, limit %d; put fewer tweets in a batch", ErrTooLarge, len(body), maxBatchBytes-headerRoom)
	}
	return body, nil
}

// headerRoom is the part of a stream's message size limit that is left for headers.
const headerRoom = 512

func decodeBatch(body []byte, trace string) (Batch, error) {
	if len(body) > maxBatchBytes {
		return Batch{}, fmt.Errorf("decode batch: %w", ErrTooLarge)
	}
	var b batchBody
	if err := json.Unmarshal(body, &b); err != nil {
		return Batch{}, fmt.Errorf("decode batch: %w", err)
	}
	if err := checkVersion(b.V, schemaVersion, keyedVersion); err != nil {
		return Batch{}, fmt.Errorf("decode batch: %w", err)
	}
	if (b.V == keyedVersion) != (b.Key != uuid.Nil) {
		return Batch{}, fmt.Errorf("decode batch: version %d with the key of client %s", b.V, b.Key)
	}
	batch := Batch{ID: b.ID, Key: b.Key, Until: b.Until, Tweets: b.Tweets, Known: decodeKnown(b.Known, len(b.Tweets)), Trace: trace}
	if err := batch.validate(); err != nil {
		return Batch{}, fmt.Errorf("decode batch: %w", err)
	}
	return batch, nil
}

// decodeVersioned decodes body into v, and then checks the version that it points to.
func decodeVersioned(body []byte, version *int, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return err
	}
	return checkVersion(*version, schemaVersion)
}

// checkVersion returns an error for a version that is none of those known.
func checkVersion(version int, known ...int) error {
	if !slices.Contains(known, version) {
		return fmt.Errorf("version %d of the message is unknown, want %d", version, known[0])
	}
	return nil
}

// PublishBatches publishes the batches concurrently and waits until each is stored. It
// returns the ids of those that are not, in order, and an error that joins the reasons,
// which wrap [ErrFull], [ErrTooLarge] or an error of NATS. The error is nil if and only
// if all are stored. While NATS is unreachable it fails at once, and nothing is
// sent later.
//
// A batch whose acknowledgement was lost, twice, does not count as refused: it may be
// delivered, and its tweets must not be claimed again before its lease ends. The error
// then wraps an [UnconfirmedError] that names it.
func (q *Queue) PublishBatches(ctx context.Context, batches []Batch) (refused []uuid.UUID, err error) {
	errs := make([]error, len(batches))
	var messages []*nats.Msg
	var index []int // of the batch of each message
	for i, b := range batches {
		body, err := b.encode()
		if err != nil {
			errs[i] = err
			continue
		}
		m := &nats.Msg{Subject: q.names.batchDue(), Data: body, Header: nats.Header{}}
		m.Header.Set(jetstream.MsgIDHeader, b.ID.String())
		if b.Trace != "" {
			m.Header.Set(traceparent.Header, b.Trace)
		}
		messages, index = append(messages, m), append(index, i)
	}
	for k, err := range q.publishSurely(ctx, messages) {
		errs[index[k]] = err
	}
	var reasons []error
	var unconfirmed *UnconfirmedError
	reported := map[string]bool{}
	for i, err := range errs {
		switch {
		case err == nil:
			continue
		case !errors.Is(err, ErrUnconfirmed):
			refused = append(refused, batches[i].ID)
		case unconfirmed == nil:
			unconfirmed = &UnconfirmedError{Batches: []uuid.UUID{batches[i].ID}, Err: err}
			err = unconfirmed
		default:
			unconfirmed.Batches = append(unconfirmed.Batches, batches[i].ID)
		}
		// Hundreds may be refused for the same reason.
		if !reported[err.Error()] {
			reported[err.Error()] = true
			reasons = append(reasons, err)
		}
	}
	if len(reasons) > 0 {
		return refused, fmt.Errorf("publish batches: %d of %d refused: %w", len(refused), len(batches), errors.Join(reasons...))
	}
	return nil, nil
}
