package dispatcher

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/refresh"
	"gorgone/store"
)

var (
	// ErrNotKept is returned for a dead letter whose message is gone.
	ErrNotKept = errors.New("its message was not kept: there is nothing to retry; drop it")

	// ErrUnreadable is wrapped by the error for a message that no worker of this version
	// could read.
	ErrUnreadable = errors.New("this version cannot read it, and a worker would dead-letter it again; it was left as it is")
)

// DeadLetters stores dead letters and republishes their messages. [queue.Queue] implements
// it.
type DeadLetters interface {
	Republish(ctx context.Context, d queue.DeadLetter) error
	DeleteDeadLetter(ctx context.Context, seq uint64) error
}

// Rows looks up the rows of batches. [store.Store] implements it.
type Rows interface {
	Held(ctx context.Context, claimID uuid.UUID, rows []uuid.UUID) ([]uuid.UUID, error)
	ForceDue(ctx context.Context, filter store.DueFilter) (int, error)
}

// Tweets finds the rows of a tweet. [store.Store] implements it.
type Tweets interface {
	FindTweet(ctx context.Context, ref string) ([]store.Tweet, error)
}

// Refreshes submits refresh requests. [refresh.Service] implements it.
type Refreshes interface {
	Submit(ctx context.Context, r refresh.Request) (refresh.Result, error)
}

// Retrier puts the work of dead letters back into the queue.
type Retrier struct {
	Queue     DeadLetters
	Rows      Rows
	Tweets    Tweets
	Refreshes Refreshes
	Clock     Clock
}

// Retry republishes a batch whose claim still holds; otherwise it makes those of its rows
// due that back off. It submits a refresh again on behalf of the caller, within the
// caller's limits and the day's budget. Then it deletes the dead letter. It returns what
// was done, for people. After an error the dead letter still exists.
func (r Retrier) Retry(ctx context.Context, d queue.DeadLetter, caller refresh.Caller) (did string, err error) {
	switch {
	case d.Body == nil:
		return "", ErrNotKept
	case d.Class == queue.ClassRefresh:
		did, err = r.refresh(ctx, d, caller)
	default:
		did, err = r.batch(ctx, d)
	}
	if err != nil {
		return "", err
	}
	return did, r.Queue.DeleteDeadLetter(ctx, d.Seq)
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

func (r Retrier) refresh(ctx context.Context, d queue.DeadLetter, caller refresh.Caller) (string, error) {
	old, err := d.Refresh()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	tweets, err := r.Tweets.FindTweet(ctx, old.TweetID)
	if err != nil {
		return "", err
	}
	result, err := r.Refreshes.Submit(ctx, refresh.Request{Tweets: tweets, Caller: caller})
	switch {
	case err != nil:
		return "", err
	case result.Cached:
		return fmt.Sprintf("tweet %s was looked up a moment ago: no refresh is needed", old.TweetID), nil
	case result.Coalesced:
		return fmt.Sprintf("a refresh of tweet %s is under way already", old.TweetID), nil
	default:
		return fmt.Sprintf("tweet %s is asked for again", old.TweetID), nil
	}
}
