package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"gorgone/engagement"
	"gorgone/internal/traceparent"
)

const (
	// MaxBatchTweets is the most tweet ids one batch message may hold. 200 ids
	// with seven rows each still fit.
	MaxBatchTweets = 500

	// schemaVersion is written in every message. A worker dead-letters versions
	// it does not know, so workers are updated before dispatchers.
	schemaVersion = 1
)

// Tweet is one tweet id of a batch and the rows that track it.
type Tweet struct {
	ID   string      `json:"id"` // as [engagement.CheckTweetID] accepts it
	Rows []uuid.UUID `json:"rows"`
}

// Batch is one claim's worth of due tweets.
type Batch struct {
	ID     uuid.UUID // the claim, and the message's id: stored once only
	Until  time.Time // end of the lease, as the claim wrote it
	Tweets []Tweet   // 1 to [MaxBatchTweets], each id once, each with a row
	Trace  string    // W3C traceparent; may be empty
}

type batchBody struct {
	V      int       `json:"v"`
	ID     uuid.UUID `json:"id"`
	Until  time.Time `json:"until"`
	Tweets []Tweet   `json:"tweets"`
}

func (b Batch) validate() error {
	switch {
	case b.ID == uuid.Nil:
		return errors.New("batch has no id")
	case b.Until.IsZero():
		return errors.New("batch has no end of its lease")
	case len(b.Tweets) == 0 || len(b.Tweets) > MaxBatchTweets:
		return fmt.Errorf("batch has %d tweets, want 1 to %d", len(b.Tweets), MaxBatchTweets)
	}
	seen := make(map[string]bool, len(b.Tweets))
	for _, t := range b.Tweets {
		if err := engagement.CheckTweetID(t.ID); err != nil {
			return err
		}
		if seen[t.ID] {
			return fmt.Errorf("tweet %s is named twice", t.ID)
		}
		seen[t.ID] = true
		if len(t.Rows) == 0 {
			return fmt.Errorf("tweet %s has no row", t.ID)
		}
	}
	return nil
}

func (b Batch) encode() ([]byte, error) {
	if err := b.validate(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(batchBody{V: schemaVersion, ID: b.ID, Until: b.Until, Tweets: b.Tweets})
	if err != nil {
		return nil, err
	}
	if len(body) > maxBatchBytes-headerRoom {
		return nil, fmt.Errorf("%w: %d bytes, %d at most; put fewer tweets in a batch", ErrTooLarge, len(body), maxBatchBytes-headerRoom)
	}
	return body, nil
}

// headerRoom is what the headers of a message may take of its stream's limit.
const headerRoom = 512

func decodeBatch(body []byte, trace string) (Batch, error) {
	if len(body) > maxBatchBytes {
		return Batch{}, fmt.Errorf("decode batch: %w", ErrTooLarge)
	}
	var b batchBody
	if err := decodeVersioned(body, &b.V, &b); err != nil {
		return Batch{}, fmt.Errorf("decode batch: %w", err)
	}
	batch := Batch{ID: b.ID, Until: b.Until, Tweets: b.Tweets, Trace: trace}
	if err := batch.validate(); err != nil {
		return Batch{}, fmt.Errorf("decode batch: %w", err)
	}
	return batch, nil
}

// decodeVersioned decodes body into v, and then checks the version it points to.
func decodeVersioned(body []byte, version *int, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return err
	}
	if *version != schemaVersion {
		return fmt.Errorf("version %d of the message is not known, only %d is", *version, schemaVersion)
	}
	return nil
}

// PublishBatches puts the batches into the queue, all at once, and waits until
// each is stored. It returns the ids of those that are not, in order, and an error
// that says why: nil if and only if none was refused; otherwise all reasons joined,
// which wrap [ErrFull], [ErrTooLarge], or what NATS said. When NATS is away it
// fails at once, and nothing is sent later.
//
// A batch also counts as refused when its fate is not known because the answer
// was lost. It may then be delivered all the same, and whoever takes it finds
// that its claim is gone.
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
	for k, err := range q.publishAll(ctx, messages) {
		errs[index[k]] = err
	}
	var reasons []error
	said := map[string]bool{}
	for i, err := range errs {
		if err == nil {
			continue
		}
		refused = append(refused, batches[i].ID)
		// Hundreds may be refused for one reason.
		if !said[err.Error()] {
			said[err.Error()] = true
			reasons = append(reasons, err)
		}
	}
	if len(refused) > 0 {
		return refused, fmt.Errorf("publish batches: %d of %d refused: %w", len(refused), len(batches), errors.Join(reasons...))
	}
	return nil, nil
}
