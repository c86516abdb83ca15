// Package deadletter does again what a message asked for that was given up.
package deadletter

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/store"
)

var (
	// ErrNotKept is returned for a dead letter whose message is gone.
	ErrNotKept = errors.New("its message was not kept: there is nothing to retry; drop it")

	// ErrUnreadable is wrapped by the error for a message that a worker could not
	// read either.
	ErrUnreadable = errors.New("this version cannot read it, and a worker would dead-letter it again; it was left as it is")
)

// refreshLife is how long a refresh that is asked for again may wait for its turn.
const refreshLife = time.Minute

// Queue is where dead letters are, and where work is published.
type Queue interface {
	Republish(ctx context.Context, d queue.DeadLetter) error
	PublishRefresh(ctx context.Context, r queue.Refresh) (coalesced bool, err error)
	DropDeadLetter(ctx context.Context, seq uint64) error
}

// Rows is where the rows of batches are.
type Rows interface {
	Held(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]uuid.UUID, error)
	ForceDue(ctx context.Context, filter store.DueFilter) (int, error)
}

// Clock tells engine time.
type Clock interface {
	Now() time.Time
	Engine(d time.Duration) time.Duration
}

// Retrier does again what dead letters asked for.
type Retrier struct {
	Queue Queue
	Rows  Rows
	Clock Clock
}

// Retry publishes a batch again whose claim still holds, and else makes its rows due
// that back off; a refresh it asks for anew. Then the dead letter is dropped. It
// returns what was done, for people. After an error the dead letter is there still.
func (r Retrier) Retry(ctx context.Context, d queue.DeadLetter) (did string, err error) {
	switch {
	case d.Body == nil:
		return "", ErrNotKept
	case d.Lane == queue.LaneRefresh:
		did, err = r.refresh(ctx, d)
	default:
		did, err = r.batch(ctx, d)
	}
	if err != nil {
		return "", err
	}
	return did, r.Queue.DropDeadLetter(ctx, d.Seq)
}

func (r Retrier) batch(ctx context.Context, d queue.DeadLetter) (string, error) {
	batch, err := d.Batch()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	var rows []uuid.UUID
	tweets := make([]string, len(batch.Tweets))
	for i, tweet := range batch.Tweets {
		tweets[i] = tweet.ID
		rows = append(rows, tweet.Rows...)
	}
	held, err := r.Rows.Held(ctx, batch.ID, rows)
	if err != nil {
		return "", err
	}
	if len(held) > 0 && r.Clock.Now().Before(batch.Until) {
		if err := r.Queue.Republish(ctx, d); err != nil {
			return "", err
		}
		return fmt.Sprintf("published again: the batch still holds %d of its %d rows", len(held), len(rows)), nil
	}
	due, err := r.Rows.ForceDue(ctx, store.DueFilter{TweetIDs: tweets, Failing: true})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("its claim has ended, so it was not published again: %d rows that back off are due now, the others were answered or fall due by themselves", due), nil
}

func (r Retrier) refresh(ctx context.Context, d queue.DeadLetter) (string, error) {
	old, err := d.Refresh()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a request id: %w", err)
	}
	now := r.Clock.Now()
	coalesced, err := r.Queue.PublishRefresh(ctx, queue.Refresh{
		RequestID: id, TweetID: old.TweetID, RequestedAt: now, Deadline: now.Add(r.Clock.Engine(refreshLife)),
	})
	switch {
	case err != nil:
		return "", err
	case coalesced:
		return fmt.Sprintf("a refresh of tweet %s is under way already", old.TweetID), nil
	default:
		return fmt.Sprintf("tweet %s is asked for again", old.TweetID), nil
	}
}
