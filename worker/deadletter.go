package worker

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/rs/zerolog"

	"gorgone/engagement"
	"gorgone/queue"
	"gorgone/store"
)

// maxDeliveries is how often a message may be delivered before it is dead-lettered: a
// message that has ended so many workers, or cannot be settled, is not tried for ever.
// A healthy one is redelivered only when a worker stops or dies.
const maxDeliveries = 5

func overDelivered(n int) error {
	if n <= maxDeliveries {
		return nil
	}
	return fmt.Errorf("delivered %d times without an answer", n-1)
}

// deadLetters settles what no worker could handle.
type deadLetters struct {
	store     Store
	requests  Requests
	announcer Announcer
	observer  Observer
	clock     Clock
	log       zerolog.Logger
}

// backOff lets the rows of a batch that cannot be handled back off, each on its own,
// as far as the batch still holds them: they fall due again without waiting for the
// end of the lease, and what brings a worker down does not come back at once.
func (l *deadLetters) backOff(ctx context.Context, b queue.Batch, reason string) {
	work := store.Work{ClaimID: b.ID, Results: make([]store.Result, len(b.Tweets))}
	var rows []uuid.UUID
	for i, t := range b.Tweets {
		work.Results[i] = store.Result{TweetID: t.ID, Rows: t.Rows, Kind: store.Unresolved, Reason: reason}
		rows = append(rows, t.Rows...)
	}
	var err error
	if e := guard(func() { _, err = l.store.Apply(ctx, work) }); e != nil {
		err = e
	}
	if err != nil {
		// What cannot be written may still be released.
		l.log.Warn().Err(err).Stringer("claim", b.ID).Msg("counting the failure on the rows of a batch failed")
		err = l.store.Release(ctx, b.ID, rows)
	}
	if err != nil {
		l.log.Warn().Err(err).Stringer("claim", b.ID).Msg("rows of a dead-lettered batch fall due when its lease ends")
	}
}

// exhausted dead-letters a message that the queue delivered so often that it never
// will again.
func (l *deadLetters) exhausted(ctx context.Context, e *queue.MaxDeliveriesMessage) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	letter := e.Letter()
	log := l.log.With().Str("lane", string(letter.Class)).Str("stream", letter.Stream).Uint64("message", letter.StreamSeq).Logger()
	if letter.Body != nil {
		if letter.Class == queue.ClassRefresh {
			if r, err := letter.Refresh(); err == nil {
				l.refuse(ctx, r, letter.Reason)
			}
		} else if b, err := letter.Batch(); err == nil {
			l.backOff(ctx, b, letter.Reason)
		}
	}
	if err := e.DeadLetter(ctx); err != nil {
		log.Warn().Err(err).Msg("dead-lettering an exhausted message failed; it is tried again")
		return
	}
	log.Error().Str("reason", letter.Reason).Msg("dead-lettered a message")
}

// refuse closes the requests of a refresh that is dead-lettered, and tells the
// callers.
func (l *deadLetters) refuse(ctx context.Context, r queue.Refresh, reason string) {
	failure := store.RefreshFailure{TweetID: r.TweetID, Cause: string(engagement.CauseLate), Reason: reason}
	if err := l.requests.FailRefreshes(ctx, []store.RefreshFailure{failure}); err != nil {
		l.log.Warn().Err(err).Str("tweet", r.TweetID).Msg("recording a failed refresh failed")
	}
	done := queue.RefreshResult{
		TweetID: r.TweetID, RequestIDs: []uuid.UUID{r.RequestID},
		Outcome: engagement.RequestFailed, Cause: engagement.CauseLate, Reason: reason,
	}
	if err := l.announcer.PublishResult(ctx, done); err != nil {
		l.log.Warn().Err(err).Str("tweet", r.TweetID).Msg("announcing a refresh failed")
	}
	l.observer.RefreshDone(engagement.RequestFailed, l.clock.Real(l.clock.Now().Sub(r.RequestedAt)))
}

// filter dead-letters refreshes that were delivered too often, and returns the others.
func (l *deadLetters) filter(ctx context.Context, group []*queue.RefreshDelivery) (rest []*queue.RefreshDelivery) {
	for _, d := range group {
		err := overDelivered(d.Deliveries())
		if err == nil {
			rest = append(rest, d)
			continue
		}
		settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
		l.refuse(settling, d.Refresh(), err.Error())
		if err := d.DeadLetter(settling, err.Error()); err != nil {
			l.log.Warn().Err(err).Str("tweet", d.Refresh().TweetID).Msg("dead-lettering a refresh failed")
		}
		cancel()
	}
	return rest
}
