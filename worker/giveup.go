package worker

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"gorgone/queue"
	"gorgone/store"
)

// maxDeliveries is how often a message may be delivered before it is given up: a
// message that has ended so many workers, or cannot be settled, is not tried for
// ever. A healthy one is delivered again only when a worker stops or dies.
const maxDeliveries = 5

func overDelivered(n int) error {
	if n <= maxDeliveries {
		return nil
	}
	return fmt.Errorf("delivered %d times without an answer", n-1)
}

// giveUp lets the rows of a batch that cannot be handled back off, each on its own,
// as far as the batch still holds them: they fall due again without waiting for the
// end of the lease, and what brings a worker down does not come back at once.
func (w *Worker) giveUp(ctx context.Context, b queue.Batch, reason string) {
	work := store.Work{ClaimID: b.ID, Results: make([]store.Result, len(b.Tweets))}
	var rows []uuid.UUID
	for i, t := range b.Tweets {
		work.Results[i] = store.Result{TweetID: t.ID, Rows: t.Rows, Kind: store.Unresolved, Reason: reason}
		rows = append(rows, t.Rows...)
	}
	var err error
	if e := guard(func() { _, err = w.Sink.Apply(ctx, work) }); e != nil {
		err = e
	}
	if err != nil {
		// What cannot be written may still be given back.
		w.Log.Warn().Err(err).Stringer("claim", b.ID).Msg("count the failure on the rows of a batch")
		err = w.Sink.Release(ctx, b.ID, rows)
	}
	if err != nil {
		w.Log.Warn().Err(err).Stringer("claim", b.ID).Msg("rows of a batch that was given up fall due when its lease ends")
	}
}

// exhausted makes a dead letter of a message that the queue delivered so often that
// it never will again.
func (w *Worker) exhausted(ctx context.Context, e *queue.Exhausted) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
	defer cancel()
	letter := e.Letter()
	log := w.Log.With().Str("lane", string(letter.Lane)).Str("stream", letter.Stream).Uint64("message", letter.StreamSeq).Logger()
	if letter.Body != nil {
		if letter.Lane == queue.LaneRefresh {
			if r, err := letter.Refresh(); err == nil {
				w.refuse(ctx, r, letter.Reason)
			}
		} else if b, err := letter.Batch(); err == nil {
			w.giveUp(ctx, b, letter.Reason)
		}
	}
	if err := e.Bury(ctx); err != nil {
		log.Warn().Err(err).Msg("dead-letter a message that was given up; it is tried again")
		return
	}
	log.Error().Str("reason", letter.Reason).Msg("dead-lettered a message")
}

// refuse tells those who wait for a refresh that it was given up.
func (w *Worker) refuse(ctx context.Context, r queue.Refresh, reason string) {
	err := w.Requests.FailRefreshes(ctx, []store.RefreshFailure{{TweetID: r.TweetID, Cause: string(queue.CauseLate), Reason: reason}})
	if err != nil {
		w.Log.Warn().Err(err).Str("tweet", r.TweetID).Msg("record a failed refresh")
	}
	done := queue.Done{TweetID: r.TweetID, RequestIDs: []uuid.UUID{r.RequestID}, Outcome: queue.Failed, Cause: queue.CauseLate, Reason: reason}
	if err := w.Announcer.PublishDone(ctx, done); err != nil {
		w.Log.Warn().Err(err).Str("tweet", r.TweetID).Msg("announce refresh")
	}
	w.Observer.RefreshDone(queue.Failed, w.Clock.Real(w.Clock.Now().Sub(r.RequestedAt)))
}

// worthwhile dead-letters refreshes that were delivered too often, and returns the
// others.
func (w *Worker) worthwhile(ctx context.Context, group []*queue.RefreshDelivery) (rest []*queue.RefreshDelivery) {
	for _, d := range group {
		err := overDelivered(d.Deliveries())
		if err == nil {
			rest = append(rest, d)
			continue
		}
		settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settle)
		w.refuse(settling, d.Refresh(), err.Error())
		if err := d.DeadLetter(settling, err.Error()); err != nil {
			w.Log.Warn().Err(err).Str("tweet", d.Refresh().TweetID).Msg("dead-letter a refresh")
		}
		cancel()
	}
	return rest
}
